//! What is written is what is read is what the encoder gave, in order.

mod common;

use common::{Place, Row, config, metadata, rows, write_parquet, write_vocabulary};
use gpt1_corpus::PIECE_BYTES;
use gpt1_shard::{Corpus, Split, Tokens, write_shards};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;

fn read(place: &Place, split: Split) -> Tokens {
    Tokens::open(&place.shards(), split, &place.encoder.digest()).unwrap()
}

fn all(tokens: &Tokens) -> Vec<u32> {
    tokens.window(0, tokens.len()).collect()
}

fn concatenated(rows: &[Row]) -> Vec<u32> {
    rows.iter().flat_map(|row| row.tokens.iter().copied()).collect()
}

#[test]
fn columns_of_several_pages_come_back() {
    let place = Place::new();
    // A page has at most 20,000 rows.
    let line = |i: u32| format!("{{\"text\": \"cat {} sat {}\"}}\n", i % 7, "on mat ".repeat(i as usize % 5));
    place.corpus_file("lines.jsonl", (0..45_000).map(line).collect::<String>());
    place.shard(&config(0.02, 10_000_000)).unwrap();
    for (split, n_rows) in [(Split::Train, 40_000..45_000), (Split::Validation, 1..5_000)] {
        let rows = rows(&place.shards(), split);
        assert!(n_rows.contains(&rows.len()), "{}", rows.len());
        assert!(all(&read(&place, split)) == concatenated(&rows), "{split:?}");
    }
}

/// A document: words, blanks and line breaks.
fn document() -> impl Strategy<Value = String> {
    "([a-zA-Z,.!'é]{1,7}[ \n\r\t]{0,3}){0,40}"
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn documents_come_back(
        documents in prop::collection::vec(document(), 1..12),
        lines in prop::collection::vec(document(), 0..6),
        tokens_per_shard in 1usize..200,
        fraction in prop::sample::select(vec![0.0, 0.2, 0.6]),
    ) {
        let place = Place::new();
        let mut texts: BTreeMap<String, String> = BTreeMap::new();
        for (i, text) in documents.iter().enumerate() {
            place.corpus_file(&format!("{i:02}.txt"), text);
            texts.insert(format!("{i:02}.txt"), text.clone());
        }
        let mut jsonl = String::new();
        for (i, text) in lines.iter().enumerate() {
            jsonl.push_str(&serde_json::json!({"id": i, "text": text}).to_string());
            jsonl.push('\n');
            texts.insert(format!("lines.jsonl#{}", i + 1), text.clone());
        }
        place.corpus_file("lines.jsonl", jsonl);
        texts.retain(|_, text| !text.trim().is_empty());
        prop_assume!(texts.len() > 1);
        let summary = place.shard(&config(fraction, tokens_per_shard)).unwrap();

        let mut seen = Vec::new();
        for (split, written) in [(Split::Train, &summary.train), (Split::Validation, &summary.validation)] {
            let rows = rows(&place.shards(), split);
            for row in &rows {
                let text = &texts[&row.document];
                prop_assert_eq!(&row.tokens, &place.encoder.encode(text));
                prop_assert_eq!((row.part, row.n_bytes), (0, text.len() as u64));
            }
            let tokens = read(&place, split);
            prop_assert_eq!(all(&tokens), concatenated(&rows));
            prop_assert_eq!(tokens.len() as u64, written.tokens);
            prop_assert_eq!(tokens.n_bytes(), written.bytes);
            prop_assert_eq!((tokens.n_documents(), rows.len() as u64), (rows.len(), written.documents));
            // Within a split, documents stay in the order of the corpus.
            prop_assert!(rows.is_sorted_by(|a, b| a.document < b.document));
            prop_assert_eq!(rows.is_empty(), fraction == 0.0 && split == Split::Validation);
            seen.extend(rows.into_iter().map(|row| row.document));
        }
        seen.sort_unstable();
        prop_assert_eq!(seen, texts.into_keys().collect::<Vec<_>>());
    }
}

#[test]
fn long_documents_become_parts() {
    let place = Place::new();
    // Lines, paragraphs, blanks at line ends.
    let line =
        |i: usize| ["and the mat ", &i.to_string(), if i.is_multiple_of(7) { "  \n \n" } else { " \n" }].concat();
    let lines: String = (0..260_000).map(line).collect();
    let words = "on the mat ".repeat(2 * PIECE_BYTES / 11);
    for text in [lines, words, " \n ".repeat(PIECE_BYTES / 2) + "the" + &"\n\n ".repeat(PIECE_BYTES / 2) + "end"] {
        assert!(text.len() > PIECE_BYTES);
        place.corpus_file("long.txt", &text);
        place.corpus_file("long.jsonl", serde_json::json!({ "text": text }).to_string());
        place.shard(&config(0.0, 1_000_000)).unwrap();
        let expected = place.encoder.encode(&text);
        let rows = rows(&place.shards(), Split::Train);
        for name in ["long.jsonl#1", "long.txt"] {
            let parts: Vec<Row> = rows.iter().filter(|row| row.document == name).cloned().collect();
            assert!(parts.len() > 1);
            assert!(parts.iter().zip(0..).all(|(row, part)| row.part == part));
            assert!(parts.iter().all(|row| row.n_bytes <= PIECE_BYTES as u64));
            assert!(concatenated(&parts) == expected, "the parts of {name} are not the whole");
        }
        assert_eq!(read(&place, Split::Train).n_documents(), 2);
    }
}

#[test]
fn wide_vocabularies_take_four_bytes() {
    let place = Place::new();
    let characters: Vec<char> =
        ('a'..='z').chain('\u{3400}'..'\u{4db6}').chain('\u{4e00}'..'\u{9fa6}').chain('\u{ac00}'..'\u{d7a4}').collect();
    let encoder = write_vocabulary(&place.path("wide"), &characters);
    assert!(encoder.n_vocab() > 65_536);
    place.corpus_file("a.txt", "the \u{9fa0}\u{d700} \u{d7a3}\n and");
    let corpus = Corpus::open(&place.path("corpus")).unwrap();
    write_shards(&corpus, &encoder, &config(0.0, 100), "c", &place.shards(), &mut |_| {}).unwrap();
    let tokens = Tokens::open(&place.shards(), Split::Train, &encoder.digest()).unwrap();
    assert!(all(&tokens).iter().any(|&id| id > 65_535));
    assert_eq!(all(&tokens), encoder.encode("the \u{9fa0}\u{d700} \u{d7a3}\n and"));
    assert_eq!(tokens.n_vocab(), encoder.n_vocab());
}

#[test]
fn rows_of_parquet_are_documents() {
    use arrow::array::{ArrayRef, RecordBatch, StringArray};
    let texts = ["the first", "", "and the third\nwith a line"];
    let place = Place::new();
    let column: ArrayRef = Arc::new(StringArray::from(texts.to_vec()));
    let batch = RecordBatch::try_from_iter([("text", column)]).unwrap();
    write_parquet(&place.path("corpus/rows.parquet"), &batch, None);
    assert_eq!(place.shard(&config(0.0, 100)).unwrap().train.documents, 2);
    let rows = rows(&place.shards(), Split::Train);
    let names: Vec<&str> = rows.iter().map(|row| row.document.as_str()).collect();
    assert_eq!(names, ["rows.parquet#1", "rows.parquet#3"]);
    assert_eq!(rows[1].tokens, place.encoder.encode(texts[2]));
}

#[test]
fn byte_order_marks_are_no_text() {
    let place = Place::new();
    place.corpus_file("a.txt", "\u{feff}the");
    place.corpus_file("b.jsonl", "\u{feff}{\"text\": \"the\"}\r\n");
    let summary = place.shard(&config(0.0, 100)).unwrap();
    assert_eq!((summary.train.bytes, summary.train.tokens, summary.train.unknown), (6, 2, 0));
}

#[test]
fn nothing_is_written_before_all_has_been_checked() {
    let place = Place::new();
    place.corpus_file("a.txt", "fine");
    place.corpus_file("b.txt", b"ab\ncd\nef\xffgh\n");
    let error = common::message(place.shard(&config(0.0, 100)));
    assert!(error.contains("b.txt:3: invalid UTF-8 at byte 8"), "{error}");
    place.corpus_file("a.txt", " \n");
    place.corpus_file("b.txt", "\u{feff} \n\t");
    let error = common::message(place.shard(&config(0.1, 100)));
    assert!(error.contains("the corpus is empty: 2 files"), "{error}");
    assert_eq!(fs_err::read_dir(place.shards()).unwrap().count(), 0);
}

#[test]
fn shards_are_filled_and_described() {
    let place = Place::with_documents(40);
    let summary = place.shard(&config(0.3, 40)).unwrap();
    assert!(summary.train.shards > 3 && summary.validation.shards > 1 && summary.remark.is_none());
    assert!(summary.train.unknown == 0);
    let mut first_token = 0;
    for number in 0..summary.train.shards {
        let found = metadata(&place.shards().join(format!("train-{number:05}.parquet")));
        assert!(found.n_tokens > 0 && found.n_tokens <= 40);
        assert_eq!(
            (found.shard, found.first_token, found.n_vocab),
            (number, first_token, place.encoder.n_vocab() as u64)
        );
        assert_eq!((found.seed, found.validation_fraction, found.split.as_str()), (7, 0.3, "train"));
        assert_eq!((found.tokenizer_digest, found.corpus_digest.as_str()), (place.encoder.digest(), "corpus digest"));
        assert_eq!(found.last_shard, number + 1 == summary.train.shards);
        first_token += found.n_tokens;
    }
    assert_eq!(first_token, summary.train.tokens);
}

#[test]
fn same_bytes_for_any_number_of_threads() {
    let place = Place::with_documents(40);
    let listing = || -> BTreeMap<String, Vec<u8>> {
        let entries = fs_err::read_dir(place.shards()).unwrap();
        let paths = entries.map(|e| e.unwrap().path());
        paths.map(|p| (p.display().to_string(), fs_err::read(p).unwrap())).collect()
    };
    let before = listing();
    let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    one.install(|| place.shard(&config(0.3, 40))).unwrap();
    assert!(before == listing());
}

#[test]
fn the_split_depends_on_name_and_seed_only() {
    let names = |place: &Place| -> Vec<String> {
        rows(&place.shards(), Split::Validation).into_iter().map(|row| row.document).collect()
    };
    let place = Place::with_documents(60);
    let few = names(&place);
    assert!(few.len() > 6 && few.len() < 32, "{} of 60 at 0.3", few.len());
    for i in 60..80 {
        place.corpus_file(&format!("{i:03}.txt"), "and more");
    }
    place.shard(&config(0.3, 40)).unwrap();
    let more = names(&place);
    assert_eq!(few, more.into_iter().filter(|name| name.as_str() < "060").collect::<Vec<_>>());
    place.shard(&gpt1_artifacts::preset::ShardConfig { seed: 8, ..config(0.3, 40) }).unwrap();
    assert_ne!(few, names(&place));
}

#[test]
fn no_split_is_empty() {
    let place = Place::with_documents(2);
    for fraction in [0.0001, 0.9999] {
        let summary = place.shard(&config(fraction, 40)).unwrap();
        assert_eq!((summary.train.documents, summary.validation.documents), (1, 1));
        assert!(summary.remark.unwrap().contains("was put there"));
    }
}

#[test]
fn an_only_document_is_cut_at_a_line() {
    let place = Place::new();
    let text: String = (0..100).map(|i: usize| ["line ", &i.to_string(), " of the mat\n"].concat()).collect();
    place.corpus_file("only.txt", &text);
    let summary = place.shard(&config(0.1, 1000)).unwrap();
    assert!(summary.remark.unwrap().contains("one document"));
    assert_eq!(summary.train.bytes + summary.validation.bytes, text.len() as u64);
    let (train, validation) = (read(&place, Split::Train), read(&place, Split::Validation));
    assert!(all(&validation) == place.encoder.encode(&text[summary.train.bytes as usize..]));
    assert!(all(&train) == place.encoder.encode(&text[..summary.train.bytes as usize]));
    let share = summary.validation.bytes as f64 / text.len() as f64;
    assert!((share - 0.1).abs() < 0.01, "{share}");
    assert!(text[summary.train.bytes as usize..].starts_with("line 90"));

    place.corpus_file("only.txt", "the only line\n\n");
    let error = common::message(place.shard(&config(0.1, 1000)));
    assert!(error.contains("one document of one line") && error.contains("validation_fraction=0"), "{error}");
    assert_eq!(place.shard(&config(0.0, 1000)).unwrap().validation.tokens, 0);
    assert!(read(&place, Split::Validation).is_empty());
}
