# Thin aliases over gpt1-pipeline and cargo; `make help` lists them. Everything is built on the way.

# What the targets take; `make finetune TASK=cola PRESET=small` sets it.
PRESET =
TOKENIZER =
TASK = rte
OUT = artifacts
CORPUS =
DATA =
SEED =
INIT =
SPLIT =
NAME =
SET =
RANKS =

BIN = target/release
CARGO = cargo
MIN_RUST = 1.89

# The settings that are given, as arguments of gpt1-pipeline. Shell code: it adds to "$@".
SETTINGS = if [ -n '$(PRESET)' ]; then set -- "$$@" --set preset='$(PRESET)'; fi; \
	if [ -n '$(CORPUS)' ]; then set -- "$$@" --set corpus='$(CORPUS)'; fi; \
	for s in $(SET); do set -- "$$@" --set "$$s"; done; \
	set -- "$$@" --set out='$(OUT)'
SEED_SETTING = if [ -n '$(SEED)' ]; then set -- "$$@" --set seed='$(SEED)'; fi

# The settings of the last `make pretrain`, a line each, which hold for its fine-tuning too.
LAST = $(OUT)/.last-pretrain
REMEMBER = { if [ -n '$(PRESET)' ]; then echo preset='$(PRESET)'; fi; \
	if [ -n '$(CORPUS)' ]; then echo corpus='$(CORPUS)'; fi; \
	if [ -n '$(SEED)' ]; then echo pretrain.seed='$(SEED)'; fi; \
	for s in $(SET); do echo "$$s"; done; } > '$(LAST)'
TASK_SETTINGS = set --; \
	if [ -z '$(PRESET)$(CORPUS)' ] && [ -s '$(LAST)' ]; then \
		echo "with the settings of the last make pretrain: $$(tr '\n' ' ' < '$(LAST)')" >&2; \
		while read -r s; do set -- "$$@" --set "$$s"; done < '$(LAST)'; \
	fi; \
	$(SETTINGS); $(SEED_SETTING); set -- "$$@" --set task='$(TASK)'; \
	if [ -n '$(DATA)' ]; then set -- "$$@" --set data='$(DATA)'; fi; \
	if [ -n '$(INIT)' ]; then set -- "$$@" --set init='$(INIT)'; fi; \
	if [ -n '$(SPLIT)' ]; then set -- "$$@" --set split='$(SPLIT)'; fi

help:
	@echo 'make pretrain               from text to a language model: vocabulary, shards, training, samples'
	@echo 'make finetune TASK=rte      from the language model to a task model and its scores'
	@echo 'make evaluate TASK=rte      the scores of the task model (SPLIT=dev, test or train)'
	@echo 'make reproduce              section 5 of the paper: figures and tables of all analyses, as one HTML page'
	@echo 'make data NAME=rte          download a data set of data/datasets.yaml, checked, into data/ (NAME= lists them)'
	@echo 'make status                 what is up to date, and what would run and why'
	@echo
	@echo 'They take (with what holds if nothing is given):'
	@echo '  PRESET=tiny               tiny, small, gpt1, or the path of a preset file'
	@echo '  CORPUS=path               a folder of .txt, .jsonl or .parquet   (a generated sample corpus)'
	@echo '  DATA=path                 the folder of the tasks, data/README.md (generated sample tasks)'
	@echo '  TASK=rte                  cola sst2 mrpc stsb qqp mnli qnli rte wnli snli scitail race storycloze'
	@echo '  INIT=path                 the model to fine-tune, or scratch     (that of make pretrain)'
	@echo '  SEED=n                    of pretrain: of pre-training; of finetune: of fine-tuning alone (the preset'"'"'s)'
	@echo '  OUT=artifacts             the folder of all results'
	@echo '  SET="a.b=c d.e=f"         other values of the preset, such as SET="pretrain.max_updates=100"'
	@echo '  RANKS=n                   of pretrain: so many processes under MPI, on this machine or more (CLUSTER.md)'
	@echo 'PRESET, CORPUS, SEED and SET of the last make pretrain hold for finetune too, unless it is given PRESET or CORPUS.'
	@echo
	@echo 'make build                  all programs, in $(BIN)'
	@echo 'make test                   all tests'
	@echo 'make test-mpi               several ranks: the same losses, faults, signals; Open MPI and, if it is there, MPICH'
	@echo 'make test-kills             kill -9 two hundred times, every write and read failing once: a quarter of an hour'
	@echo 'make test-asan              the tests of the arithmetic under AddressSanitizer'
	@echo 'make lint                   formatting and clippy, as .ci/run asks for'
	@echo 'make fmt                    format the sources'
	@echo 'make bench                  the benchmarks: tokens a second, memory, where the time goes'
	@echo 'make bench-peers            the same beside PyTorch, in one table'
	@echo 'make bench-growth           how the cost grows with model, context, batch and threads: PERFORMANCE.md'
	@echo 'make bench-ranks            several ranks beside threads and over a network: SCALING.md'
	@echo 'make bench-encoder          the text encoder beside its peers (TOKENIZER=folder CORPUS="texts")'
	@echo 'make clean                  remove what was built (results stay)'

pretrain: build
	@set --; $(SETTINGS); $(SEED_SETTING); $(BIN)/gpt1-pipeline run pipelines/pretrain.yaml $(if $(RANKS),--ranks '$(RANKS)') "$$@"
	@$(REMEMBER)
	@preset='$(PRESET)'; preset=$$(basename "$${preset:-tiny}" .yaml); out='$(OUT)'; \
	if [ "$$out" = artifacts ]; then out=; else out=" OUT=$$out"; fi; \
	echo; \
	echo "The model is in $(OUT)/$$preset/pretrain, its curve in metrics.jsonl and its samples in samples.txt there. Next:"; \
	echo "  make finetune TASK=rte$$out          fine-tune it on a task and see the scores (make help lists the tasks)"; \
	echo "  $(BIN)/gpt1-pretrain sample --model $(OUT)/$$preset/pretrain --prompt 'One day'"

finetune: build
	@$(TASK_SETTINGS); $(BIN)/gpt1-pipeline run pipelines/finetune.yaml evaluate "$$@"

# The same chain: what finetune has made is not made again.
evaluate: finetune

# Stopped and typed again, it goes on where it was.
reproduce: build
	@set --; $(SETTINGS); $(SEED_SETTING); if [ -n '$(DATA)' ]; then set -- "$$@" --set data='$(DATA)'; fi; \
	$(BIN)/gpt1-pipeline run pipelines/reproduce.yaml "$$@" && \
	preset='$(PRESET)'; preset=$$(basename "$${preset:-tiny}" .yaml); \
	echo "The page is $(OUT)/$$preset/report/report.html, its numbers are in report.json beside it."

data: build
	@$(BIN)/gpt1-fetch $(if $(NAME),$(NAME),--list)

status: build
	@$(TASK_SETTINGS); $(BIN)/gpt1-pipeline status pipelines/finetune.yaml "$$@"

build: system $(if $(RANKS),mpi)
	$(CARGO) build --release --workspace --bins $(if $(RANKS),--features gpt1-pretrain/mpi)

test: build
	$(CARGO) test --release --workspace

# Several ranks under Open MPI, and under MPICH where it is installed (mpicc.mpich).
test-mpi: mpi
	$(MAKE) build RANKS=1
	GPT1_MPI=openmpi $(CARGO) test --release -p gpt1-tests --test ranks -- --nocapture --test-threads 1
	@if command -v mpicc.mpich >/dev/null 2>&1; then \
		MPICC=mpicc.mpich $(MAKE) build RANKS=1 && \
		GPT1_MPI=mpich $(CARGO) test --release -p gpt1-tests --test ranks -- --nocapture --test-threads 1; \
	else echo 'skipped with MPICH: there is no mpicc.mpich (apt-get install mpich libmpich-dev)'; fi

# What `make test` does in small: 200 kills (of ranks: GPT1_KILLS=50 make test-mpi), and a fault at every single write and read.
test-kills: build
	GPT1_KILLS=200 GPT1_FAULTS=100000 $(CARGO) test --release -p gpt1-tests \
		--test kills --test faults --test removed -- --nocapture --test-threads 1

# Whole updates, evaluation and sampling at the presets' sizes in both precisions, where the time of GPT-1's update goes, then
# the products they are made of.
bench: build
	@head=; \
	row() { $(BIN)/gpt1-pretrain bench $$head "$$@"; head=--no-head; }; \
	for p in "tiny --batch 32" "small --batch 32" "gpt1 --batch 4"; do for dropout in 0.1 0; do for precision in f32 auto; do \
		row --preset $$p --dropout $$dropout --precision $$precision; done; done; done; \
	row --preset gpt1 --batch 8 --dropout 0; \
	for precision in f32 auto; do row --preset gpt1 --mode forward --precision $$precision; done; \
	for precision in f32 bf16; do row --preset gpt1 --mode sample --precision $$precision; done
	@$(BIN)/gpt1-pretrain bench --preset gpt1 --dropout 0.1 --profile
	$(CARGO) bench --workspace --benches

# The arithmetic's tests under AddressSanitizer, which the stable toolchain runs if it is told so.
test-asan: system
	RUSTC_BOOTSTRAP=1 RUSTFLAGS=-Zsanitizer=address CARGO_TARGET_DIR=target/asan \
		$(CARGO) test -p gpt1-kernels --lib --target $$(rustc -vV | sed -n 's/^host: //p')

# The same beside PyTorch, where Python has it.
bench-peers: build
	@python3 benches/pytorch/compare.py --bin $(BIN)

# How the cost of training grows: writes PERFORMANCE.md and its picture. Needs matplotlib.
bench-growth: build
	@python3 benches/growth.py --bin $(BIN)

# Several ranks beside threads and over a network: writes SCALING.md and its picture. Needs matplotlib, Open MPI and root.
bench-ranks: mpi
	$(MAKE) build RANKS=1
	@python3 benches/ranks.py --bin $(BIN)

# The text encoder beside its peers; built on its own, as nobody else needs them. After `make pretrain` it has something to read.
bench-encoder: system
	$(CARGO) run --release --manifest-path benches/encoder/Cargo.toml -- \
		'$(if $(TOKENIZER),$(TOKENIZER),$(OUT)/tiny/vocabulary)' $(if $(CORPUS),$(CORPUS),$(OUT)/sample-data/corpus/*.txt)

lint: system
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --release -- -D warnings
	@if command -v "$${MPICC:-mpicc}" >/dev/null 2>&1; then \
		echo 'again with the feature mpi'; \
		$(CARGO) clippy --workspace --all-targets --release --features gpt1-pretrain/mpi -- -D warnings; \
	else echo 'skipped with the feature mpi: there is no mpicc (make mpi installs Open MPI)'; fi

fmt:
	$(CARGO) fmt --all

clean:
	$(CARGO) clean

# What must be there before anything can be built: Rust, a C compiler, OpenBLAS.
system: rust
	@if command -v cc >/dev/null 2>&1 && command -v pkg-config >/dev/null 2>&1 && pkg-config --exists openblas; then exit 0; fi; \
	if ! command -v apt-get >/dev/null 2>&1; then \
		echo 'A C compiler, pkg-config or OpenBLAS is missing. Install them, then type the same again:' >&2; \
		echo '  Fedora, RHEL   sudo dnf install gcc pkgconf-pkg-config openblas-devel' >&2; \
		echo '  Arch           sudo pacman -S gcc pkgconf openblas' >&2; \
		echo '  Alpine         sudo apk add build-base pkgconf openblas-dev' >&2; \
		echo '  macOS          brew install pkg-config openblas; export PKG_CONFIG_PATH="$$(brew --prefix openblas)/lib/pkgconfig"' >&2; \
		exit 1; \
	fi; \
	sudo=; if [ "$$(id -u)" != 0 ]; then sudo=sudo; fi; \
	if [ -n "$$sudo" ] && ! command -v sudo >/dev/null 2>&1; then \
		echo 'OpenBLAS is missing; as root: apt-get install gcc libc6-dev libopenblas-dev pkg-config' >&2; exit 1; \
	fi; \
	echo 'Installing what BLAS needs: apt-get install gcc libc6-dev libopenblas-dev pkg-config' >&2; \
	$$sudo apt-get update -qq && \
	$$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq gcc libc6-dev libopenblas-dev pkg-config >&2

# What RANKS needs besides: Open MPI, or MPICH.
mpi:
	@if command -v "$${MPICC:-mpicc}" >/dev/null 2>&1 && command -v mpirun >/dev/null 2>&1; then exit 0; fi; \
	if ! command -v apt-get >/dev/null 2>&1; then \
		echo 'mpicc or mpirun is missing: install Open MPI or MPICH (on a cluster: module load openmpi), then type the same again' >&2; \
		exit 1; \
	fi; \
	sudo=; if [ "$$(id -u)" != 0 ]; then sudo=sudo; fi; \
	echo 'Installing Open MPI: apt-get install openmpi-bin libopenmpi-dev' >&2; \
	$$sudo apt-get update -qq && \
	$$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq openmpi-bin libopenmpi-dev >&2

rust:
	@found=$$($(CARGO) --version 2>/dev/null | cut -d ' ' -f 2); \
	oldest=$$(printf '%s\n%s\n' "$$found" '$(MIN_RUST)' | sort -t . -k 1,1n -k 2,2n | head -n 1); \
	if [ -z "$$found" ] || [ "$$oldest" != '$(MIN_RUST)' ]; then \
		echo "Rust $(MIN_RUST) or newer is needed (found: $${found:-none}); install it as https://rustup.rs says, or: rustup update stable" >&2; \
		exit 1; \
	fi

.PHONY: help pretrain finetune evaluate reproduce data status build test test-mpi test-kills test-asan bench bench-peers bench-growth bench-ranks bench-encoder lint fmt clean system mpi rust
