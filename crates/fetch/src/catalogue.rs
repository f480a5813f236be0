//! `data/datasets.yaml`: which data sets there are, where their files are, and what is known of them.

use crate::error::FetchError;
use crate::names;
use gpt1_artifacts::config;
use gpt1_artifacts::problem::{Place, Problem, Problems, nearest};
use serde::{Deserialize, Serialize};
use serde_yaml::Spanned;
use std::path::Path;

/// The list that the program brings along.
const BUILT_IN: &str = include_str!("../../../data/datasets.yaml");

/// Unpacked bytes of a data set that says nothing of them: several times the largest of GLUE.
const MAX_UNPACKED: u64 = 4_000_000_000;
/// Files and folders of an archive that says nothing of them: several times RACE's.
const MAX_ENTRIES: u64 = 100_000;

/// All data sets, in the order of the file.
#[derive(Debug)]
pub struct Catalogue {
    /// The data sets; their names are unique, and so are the names of all their files.
    pub datasets: Vec<Dataset>,
}

/// A data set: what it is, and how to get it.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Dataset {
    /// Name on the command line.
    pub name: Name,
    /// What it is, in a line.
    pub title: String,
    /// What one may do with it.
    pub licence: String,
    /// Its folder below the data folder.
    pub folder: Name,
    /// Other names that the folder has if it was put there by hand.
    #[serde(default)]
    pub aliases: Vec<Name>,
    /// The files to download; none if it is given on request only.
    #[serde(default)]
    pub files: Vec<Source>,
    /// Given on request only.
    pub on_request: Option<OnRequest>,
    /// The archives may not unpack to more bytes than that (tar: its headers counted too).
    #[serde(default = "max_unpacked")]
    pub max_unpacked_bytes: u64,
    /// An archive may not have more files and folders than that.
    #[serde(default = "max_entries")]
    pub max_entries: u64,
}

/// A file to download.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Its address.
    pub url: Url,
    /// Its name among the downloads and at a mirror, if not the last part of the address.
    file: Option<Name>,
    /// Its size; absent where unknown.
    pub bytes: Option<u64>,
    /// SHA-256, in hexadecimal digits.
    sha256: Option<Hex<64>>,
    /// The id of git's blob object: SHA-1 of `blob <size>\0` and the content, in hexadecimal digits.
    git_blob: Option<Hex<40>>,
    /// What to do with it.
    pub kind: Kind,
    /// Archives: the folder in the archive whose content is wanted, and is put directly into the data set's folder.
    pub strip: Option<Member>,
    /// Archives: the members that are wanted, each of which must be there; one that ends with `/` is a folder with all that is
    /// below it. Empty: all.
    #[serde(default)]
    pub want: Vec<Member>,
    /// Single files: the name in the data set's folder, if not the file's own.
    to: Option<Member>,
}

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
pub enum Kind {
    /// Used as it is.
    #[serde(rename = "file")]
    File,
    /// A single file, compressed by gzip.
    #[serde(rename = "gz")]
    Gz,
    /// A zip archive.
    #[serde(rename = "zip")]
    Zip,
    /// A tar archive, compressed by gzip.
    #[serde(rename = "tar.gz")]
    TarGz,
    /// A tar archive, compressed by bzip2.
    #[serde(rename = "tar.bz2")]
    TarBz2,
}

/// How to get what nobody may distribute.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct OnRequest {
    /// The address of the form to fill in.
    pub form: Url,
    /// The files to put into the data set's folder.
    pub files: Vec<Member>,
}

/// The digests that are known of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Digests {
    /// SHA-256.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// The id of git's blob object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub git_blob: Option<String>,
}

/// A text with a rule, checked while it is read, so that the error has a position.
macro_rules! text {
    ($(#[$doc:meta])* $name:ident $(<$n:ident>)?, $check:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
        #[serde(try_from = "String")]
        pub struct $name$(<const $n: usize>)?(String);

        impl$(<const $n: usize>)? TryFrom<String> for $name$(<$n>)? {
            type Error = String;

            fn try_from(text: String) -> Result<Self, String> {
                let check: fn(&str) -> Result<(), String> = $check;
                check(&text).map(|()| Self(text))
            }
        }

        impl$(<const $n: usize>)? std::ops::Deref for $name$(<$n>)? {
            type Target = str;

            fn deref(&self) -> &str {
                &self.0
            }
        }
    };
}

text!(
    /// The name of a data set, a folder or a file: one component of a path, not hidden.
    Name,
    |text| match names::inside(text.as_bytes()) {
        Ok(name) if !name.is_empty() && name == text && !name.contains('/') && !name.starts_with('.') => Ok(()),
        _ => Err(format!("expected a name without / and without a dot in front, found `{text}`")),
    }
);
text!(
    /// A path inside an archive or a folder; a folder may end with `/`.
    Member,
    |text| match names::inside(text.as_bytes()) {
        Ok(name) if !name.is_empty() && name == text.strip_suffix('/').unwrap_or(text) => Ok(()),
        _ => Err(format!("expected a path inside the folder, such as train.tsv or train/, found `{text}`")),
    }
);
text!(
    /// An address.
    Url,
    |text| {
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        let plain = |rest: &str| !rest.is_empty() && rest.chars().all(|c| c.is_ascii_graphic());
        let wrong = || format!("expected an address that begins with https:// or http://, found `{text}`");
        rest.is_some_and(plain).then_some(()).ok_or_else(wrong)
    }
);
text!(
    /// Hexadecimal digits in lower case, N of them.
    Hex<N>,
    |text| {
        let is_hex = text.len() == N && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        is_hex.then_some(()).ok_or_else(|| format!("expected {N} hexadecimal digits in lower case, found `{text}`"))
    }
);

fn max_unpacked() -> u64 {
    MAX_UNPACKED
}

fn max_entries() -> u64 {
    MAX_ENTRIES
}

impl Kind {
    /// Whether it holds files of its own.
    pub fn is_archive(self) -> bool {
        matches!(self, Kind::Zip | Kind::TarGz | Kind::TarBz2)
    }
}

impl Source {
    /// Its name among the downloads and at a mirror.
    pub fn file_name(&self) -> &str {
        match &self.file {
            Some(name) => name,
            None => last_part(&self.url),
        }
    }

    /// Single files: the path in the data set's folder.
    pub fn target(&self) -> &str {
        let name = self.file_name();
        match (&self.to, self.kind) {
            (Some(to), _) => to,
            (None, Kind::Gz) => name.strip_suffix(".gz").unwrap_or(name),
            (None, _) => name,
        }
    }

    /// The digests that are known.
    pub fn digests(&self) -> Digests {
        Digests {
            sha256: self.sha256.as_deref().map(str::to_owned),
            git_blob: self.git_blob.as_deref().map(str::to_owned),
        }
    }
}

fn last_part(url: &str) -> &str {
    let path = url.split(['?', '#']).next().unwrap_or(url);
    path.rsplit('/').next().unwrap_or(path)
}

impl Catalogue {
    /// The built-in list, or that of a file.
    pub fn load(path: Option<&Path>) -> Result<Catalogue, Problems> {
        let text = path.map_or_else(|| Ok(BUILT_IN.to_owned()), config::read_text)?;
        let path = path.unwrap_or(Path::new("data/datasets.yaml"));
        let datasets: Vec<Spanned<Dataset>> = config::parse(path, &text)?;
        let mut names: Vec<(&str, &str)> = Vec::new();
        for spanned in &datasets {
            let wrong = |message: String| {
                let at = spanned.referenced;
                let place = Place::File { path: path.into(), line: at.line(), column: at.column() };
                Problem::new(&place, format!("{}: {message}", &*spanned.value.name))
            };
            check(&spanned.value, &mut names).map_err(wrong)?;
        }
        Ok(Catalogue { datasets: datasets.into_iter().map(|spanned| spanned.value).collect() })
    }

    /// The data sets of these names, each once, in the order given; all if no name is given.
    pub fn choose(&self, names: &[String]) -> Result<Vec<&Dataset>, FetchError> {
        if names.is_empty() {
            return Ok(self.datasets.iter().collect());
        }
        let mut chosen: Vec<&Dataset> = Vec::new();
        for name in names {
            let found = self.datasets.iter().find(|set| *set.name == **name).ok_or_else(|| self.unknown(name))?;
            if !chosen.iter().any(|set| set.name == found.name) {
                chosen.push(found);
            }
        }
        Ok(chosen)
    }

    fn unknown(&self, name: &str) -> FetchError {
        let known: Vec<&str> = self.datasets.iter().map(|set| &*set.name).collect();
        let near = nearest(&name.to_lowercase(), &known);
        let near = near.map_or_else(String::new, |near| format!(" (did you mean {near}?)"));
        FetchError::UnknownName { name: name.to_owned(), near, known: known.join(", ") }
    }
}

/// What a data set's parts say together. `names`: of the sets and files so far, with what each is.
fn check<'a>(set: &'a Dataset, names: &mut Vec<(&'a str, &'a str)>) -> Result<(), String> {
    let mut add = |what: &'a str, name: &'a str| {
        if names.contains(&(what, name)) {
            return Err(format!("there is another {what} {name}"));
        }
        names.push((what, name));
        Ok(())
    };
    add("data set", &set.name)?;
    add("folder", &set.folder)?;
    if set.files.is_empty() != set.on_request.is_some() {
        return Err("expected either files or on_request".to_owned());
    }
    for source in &set.files {
        let name = source.file_name();
        if Name::try_from(name.to_owned()).is_err() {
            return Err(format!("the address {} ends with no name for a file; give it one with file:", &*source.url));
        }
        // Downloads and mirrors are flat folders.
        add("file", name)?;
        if !source.kind.is_archive() && (source.strip.is_some() || !source.want.is_empty()) {
            return Err(format!("{name}: strip and want are for archives; a single file has to"));
        }
        if source.kind.is_archive() && source.to.is_some() {
            return Err(format!("{name}: to is for single files; an archive has strip and want"));
        }
    }
    Ok(())
}
