//! Counting words: what counts as one, and that threads and batches change nothing.

use gpt1_tokenize::count::{WordCount, count_words};
use gpt1_tokenize::words::{each_ready_word, each_word};

fn counts(batches: &[&[&str]]) -> Vec<WordCount> {
    count_words(batches.iter().map(|batch| batch.iter().map(|&text| text.to_owned()).collect()), each_word)
}

fn pairs(counts: &[WordCount]) -> Vec<(&str, u64)> {
    counts.iter().map(|(word, count)| (&**word, *count)).collect()
}

#[test]
fn words_are_cleaned_split_lowered_and_sorted() {
    let found = counts(&[&["One two.\r\nTwo\n", "two"], &[], &["Two\nthree", "", "é"]]);
    assert_eq!(pairs(&found), [(".", 1), ("one", 1), ("three", 1), ("two", 4), ("é", 1)]);
    assert_eq!(pairs(&counts(&[&["on", "e"]])), [("e", 1), ("on", 1)]);
    assert_eq!(pairs(&counts(&[&[" \n\t\n"]])), []);
    assert_eq!(pairs(&counts(&[])), []);
    let long = "z".repeat(3 << 20);
    assert_eq!(pairs(&counts(&[&[&format!("x {long} y")]])), [("x", 1), ("y", 1), (&*long, 1)]);
}

#[test]
fn ready_words_stay_as_they_are() {
    let texts = ["Don't &amp; ,, Don't\u{a0}\u{1c}ﬁ\n\nx".to_owned()];
    let found = count_words(std::iter::once(texts.to_vec()), each_ready_word);
    assert_eq!(pairs(&found), [("&amp;", 1), (",,", 1), ("Don't", 2), ("x", 1), ("ﬁ", 1)]);
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let line_of = |i: usize, j: usize| format!("w{} {}\n", (i * j) % 977, "é".repeat(j % 5));
    let text_of = |i: usize| (0..2_000).map(|j| line_of(i, j)).collect::<Vec<_>>().concat();
    let texts: Vec<String> = (0..200).map(text_of).collect();
    let of = |n_threads, n_texts: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
        pool.install(|| count_words(texts.chunks(n_texts).map(<[String]>::to_vec), each_word))
    };
    let one = of(1, 200);
    assert!(one.len() > 900);
    for n_threads in [1, 2, 3, 7] {
        assert!(of(n_threads, 3) == one, "{n_threads} threads");
    }
}
