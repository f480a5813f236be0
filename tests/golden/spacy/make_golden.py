#!/usr/bin/env python3
"""Golden values of gpt1-tokenize's word tokenizer, from the reference: spaCy 2.0.11's rules in oracle/spacy_tokenizer_spec.py.

  make_golden.py golden SHARED                          writes texts.jsonl, chunks.jsonl and lower.jsonl beside this script
  make_golden.py fuzz SHARED FILE --seed N --count N    writes that many other texts, chunks and words
  make_golden.py files SHARED FILE TEXT...              writes text files, whole and line by line
  make_golden.py classes SHARED FILE                    writes chunks that try every code point in every place of the rules

A line of each file is JSON: ["text", text, words after cleaning], ["chunk", chunk, words] or ["lower", word, lower case].
To compare FILE: GPT1_SPACY_CASES=FILE cargo test --release -p gpt1-tokenize --test spacy -- --ignored

SHARED holds oracle/.  Needs Python 3.11, spacy 3.8, regex.
"""
import argparse
import json
import os
import random
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
KINDS = ["words", "dense", "unicode", "mojibake", "markup"]
# What the rules treat specially; those that cleaning never leaves inside a chunk are here as well.
PIECES = (
    "' '' ''' ’ ’’ ‘ ‘‘ ` `` ´ “ ” „ ‚ « » ( ) [ ] { } < > （ ） 「 」 【 】 . . . .. ... … …… , : ; ! ? ¿ ؟ ¡ _ # * & @ @ 。 ？ ！ ， 、 ； ： ～ "
    "· । ، ؛ ٪ § % = + - -- --- – — —— ~ / // \\ ^ | ° ☺ © ¦ 😀 $ £ € ¥ ฿ US$ C$ A$ ₽ ﷼ 's 'S ’s ’S n't 've °C °F. °k km km² m³ µg nm "
    "m/s km/h kmh hPa mbar oz T K км² мм м/с км/ч Тб 0 1 2 5 9 10 16 31 127 168 169 172 192 223 224 249 254 255 256 ٣ ٣٣ a b c xy s S "
    "é É ß ǅ ё Ё я Я і α Σ ב م ক 中 ² ª ١ http:// https:// ftp:// mailto:// :// www. .com .co.uk .a a. foo@ x:y@ 10.0.0.1 8.8.8.8 "
    "1.2.3.4 172.16.3.4 172.2 169.254.1.2 192.168. a-b -a. b- example.com Mr. U.S. e.g. p.m 10am don't o_O :-) C++ May. Prof. gonna "
    "\u0301 \u200d \u00ad \ufffd").split(" ")
LOWER = "Σ Σ Σ Σ A a ' . : - é É İ I i ı ǅ ß ẞ 中 1 \u0301 \u00ad \u0345 ʰ ª Α Ω α ς ᾳ 𐐀 Ⓐ ⅷ Ⅷ ꟗ Ა ა Ꭰ ꭰ K Å \U00010d50 \ua7cb \U0001e900 ’ · \u200d".split(" ")


def has_surrogates(text):
    return any("\ud800" <= c <= "\udfff" for c in text)


class Maker:
    def __init__(self, shared):
        sys.path.insert(0, os.path.join(shared, "oracle"))
        import encoder_fuzz
        import gpt1_encoder_oracle
        import spacy_tokenizer_spec
        self.spec = spacy_tokenizer_spec.v2()
        with open(os.path.join(shared, "oracle/word_rules_2.0.11.json"), encoding="utf-8") as f:
            assert self.spec.exceptions == json.load(f)["exceptions"]
        self.standardize = gpt1_encoder_oracle.standardize
        self.Fuzz = encoder_fuzz.Fuzz
        self.exceptions = sorted(k for k in self.spec.exceptions if not k.isspace())

    def text(self, text):
        return ["text", text, self.spec(self.standardize(text))]

    def chunk(self, chunk):
        return ["chunk", chunk, self.spec.chunk(chunk)]

    def lower(self, word):
        return ["lower", word, word.lower()]

    def texts(self, seed, count):
        """Texts of the five kinds in turn; those with lone surrogates, which are no UTF-8, are left out."""
        fuzz, n_left_out = self.Fuzz(seed), 0
        for i in range(count):
            text = getattr(fuzz, KINDS[i % len(KINDS)])()
            if has_surrogates(text):
                n_left_out += 1
            else:
                yield self.text(text)
        print(f"seed {seed}: {n_left_out} of {count} texts left out (lone surrogates)", file=sys.stderr)

    def chunks(self, r, count):
        """Pieces that the rules treat specially, one after the other; and exceptions between affixes."""
        for _ in range(count):
            pieces = r.choices(PIECES, k=r.choice([1, 2, 2, 3, 3, 4, 5, 6, 8, 12]))
            if r.random() < 0.25:
                pieces.insert(r.randint(0, len(pieces)), r.choice(self.exceptions))
            chunk = "".join(p * r.choice([1, 1, 1, 1, 2, 3]) for p in pieces)
            yield self.chunk(r.choice([chunk] * 5 + [chunk.upper(), chunk.lower()]))

    def lowered(self, r, count):
        for _ in range(count):
            yield self.lower("".join(r.choices(LOWER, k=r.randint(1, 6))))

    def every_rule(self):
        """Each affix, unit and hyphen where it counts and where it does not; hosts and addresses with each part at its limits."""
        from spacy_tokenizer_spec import CURRENCY2, HYPHENS2, PUNCT2, QUOTES2, UNITS2
        marks = [m.replace("\\", "") for m in PUNCT2 + QUOTES2 + CURRENCY2 + [r"\§", "%", "=", "+", ".", "..", "...", "°", "☺"]]
        for mark in marks:
            for place in ["{}", "{}w", "w{}", "{}w{}", "{0}{0}w", "w{0}{0}", "{0}{0}{0}", "5{}", "w5{}", "{}don't", "don't{}", "w{}w", "'s{}", "{}.", "w{}.", "W{}."]:
                yield self.chunk(place.format(mark, mark))
        for unit in UNITS2 + marks + ["+", "'s", "xm", "kmm", "k"]:
            for place in ["5{}", "a1{}", "٣{}", "5 {}".replace(" ", "."), "5{}.", "x{}", "12am{}"]:
                yield self.chunk(place.format(unit))
        for hyphen in HYPHENS2 + ["----", "--—", "―", "~~", "-–"]:
            for place in ["a{}b", "a{}B", "1{}b", "1{}2", "a{}1", "a.{}b", 'a?";:=,.{}b', "a!{}b", "{}b", "a{}"]:
                yield self.chunk(place.format(hyphen))
        # `☺` is an infix, but not in a URL.
        numbers = [str(n) for n in range(0, 270)] + ["00", "01", "007", "099", "1000", "٣", "1٣", "2٣", "25٣", "22٣", "1٣٣", "٣٣", "٣٣٣", ""]
        for place in ["{}.2.3.4", "1.{}.3.4", "1.2.{}.4", "1.2.3.{}", "172.{}.3.4", "192.{}.1.1", "169.{}.1.1", "a@{}.9.9.9", "{}.16.1.1"]:
            for number in numbers:
                yield self.chunk(place.format(number) + "☺x")
        hosts = ["a.co", "a.c", "a.cO", "a-.co", "-a.co", "a-b.co", "-.co", "a..co", "a.1.co", "a.-.co", "a.b-.co", "A.co", "a.CO", "é.co", "1.co", ".co", "a.co-",
                 "a.1co", "10.0.0.1.co", "a_b.co", "localhost", "1.2.3.4", "10.2.3.4"]
        schemes = ["", "http://", "https://", "httpss://", "ftp://", "mailto://", "Http://", "://", "file://", "x@", "@", "http://@", "http://x@", "x:y@",
                   "x@y@", "é@", "(", "_", "US$", "'", "x@b-@"]
        ends = ["☺x", "☺", "☺/", "☺_", "☺é", "☺.", "☺'s", "", ":80☺x", "?☺1", "☺x)'s."]
        for scheme in schemes:
            for host in hosts:
                for end in ends:
                    yield self.chunk(scheme + host + end)

    def every_code_point(self):
        """One case for 500 code points and place: between spaces in a text, so that each is a chunk of its own."""
        places = ["{}", "{}a", "a{}", "5{}", "a.{}", "{}.", "a{}.", "A{}.", "{}A.", "a{}b", "a.{}b", "a{}.B", "a.B{}", "{},b", "a,{}", "{}a.co",
                  "a.co{}", "x@{}.co", "1.{}.3.4", "{}.2.3.4", "1.2.3.{}", '"{}b', "1{}2", "5k{}", "{}'s", "{}\u0301"]
        # Ideographs and private use beyond U+20000 stand for one another; every 61st of them.
        codes = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000 and (c < 0x20000 or 0xE0000 <= c < 0xE0200 or c % 61 == 0)]
        for place in places:
            for start in range(0, len(codes), 500):
                chunks = (place.format(chr(c)) for c in codes[start:start + 500])
                yield self.text(" ".join(chunks))
                self.spec.memo.clear()
        for start in range(0, len(codes), 500):
            for place in ["{}", "A{}Σ", "{}Σ", "AΣ{}", "AΣ{}A"]:
                for c in codes[start:start + 500]:
                    word = place.format(chr(c))
                    yield self.lower(word)


def write(path, cases):
    n = 0
    with open(path, "w", encoding="utf-8", newline="\n") as f:
        for n, case in enumerate(cases, 1):
            f.write(json.dumps(case, ensure_ascii=False) + "\n")
    print(f"{path}: {n} cases", file=sys.stderr)


def golden(maker):
    r = random.Random(1)
    write(os.path.join(HERE, "texts.jsonl"), maker.texts(2018, 2000))
    exceptions = [maker.chunk(e) for e in maker.exceptions]
    write(os.path.join(HERE, "chunks.jsonl"), exceptions + list(maker.every_rule()) + list(maker.chunks(r, 4000)))
    changed = [maker.lower(chr(c)) for c in range(0x110000) if chr(c).lower() != chr(c)]
    # Upper-case letters that are younger than Unicode 14.0.
    young = [0x1C89, 0xA7CB, 0xA7CC, 0xA7CE, 0xA7D2, 0xA7D4, 0xA7DA, 0xA7DC, *range(0x10D50, 0x10D66), *range(0x16EA0, 0x16EB9)]
    assert len(young) == 55 and all(chr(c).lower() == chr(c) for c in young)
    write(os.path.join(HERE, "lower.jsonl"), changed + [maker.lower(chr(c)) for c in young] + list(maker.lowered(r, 1000)))


def fuzz(maker, path, seed, count):
    def cases():
        r = random.Random(seed)
        yield from maker.texts(seed, count)
        yield from maker.chunks(r, count)
        yield from maker.lowered(r, count)
    write(path, cases())


def files(maker, path, names):
    def cases():
        for name in names:
            with open(name, encoding="utf-8", newline="") as f:
                text = f.read()
            yield maker.text(text)
            for line in text.split("\n"):
                yield maker.text(line)
            # Words in places where books do not have them.
            r = random.Random(name)
            words = text.split()
            for word in words[::7]:
                yield maker.chunk(r.choice(PIECES) + word + r.choice(PIECES))
                yield maker.chunk(word + r.choice(PIECES) + r.choice(words))
    write(path, cases())


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("what", choices=["golden", "fuzz", "files", "classes"])
    ap.add_argument("shared")
    ap.add_argument("file", nargs="?")
    ap.add_argument("texts", nargs="*")
    ap.add_argument("--seed", type=int, default=1)
    ap.add_argument("--count", type=int, default=100000)
    a = ap.parse_args()
    maker = Maker(a.shared)
    if a.what == "golden":
        return golden(maker)
    if not a.file:
        ap.error("FILE is needed")
    if a.what == "fuzz":
        fuzz(maker, a.file, a.seed, a.count)
    elif a.what == "files":
        files(maker, a.file, a.texts)
    else:
        write(a.file, maker.every_code_point())


if __name__ == "__main__":
    main()
