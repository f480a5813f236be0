//! `${name}` and `${stage.out}` in the texts of a definition.

/// A piece of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// As it stands.
    Text(String),
    /// `${name}`: the value of a variable.
    Variable(String),
    /// `${stage.out}`: the result of a stage.
    Result(String),
}

/// Cuts a text into its parts; the error says what is wrong with it.
pub fn parse(text: &str) -> Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        if start > 0 {
            parts.push(Part::Text(rest[..start].to_owned()));
        }
        let inside = &rest[start + 2..];
        let end = inside.find('}').ok_or_else(|| format!("{text}: the ${{ has no closing }}"))?;
        parts.push(reference(&inside[..end])?);
        rest = &inside[end + 1..];
    }
    if !rest.is_empty() {
        parts.push(Part::Text(rest.to_owned()));
    }
    Ok(parts)
}

fn reference(inside: &str) -> Result<Part, String> {
    let wrong = || format!("${{{inside}}}: expected ${{variable}} or ${{stage.out}}");
    match inside.split_once('.') {
        None if is_name(inside) => Ok(Part::Variable(inside.to_owned())),
        Some((stage, "out")) if is_name(stage) => Ok(Part::Result(stage.to_owned())),
        _ => Err(wrong()),
    }
}

/// Whether a text can name a variable or a stage: letters, digits, `-` and `_`.
pub fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts() {
        let found = parse("a/${b}${c-d.out}/e").unwrap();
        let expected =
            [Part::Text("a/".into()), Part::Variable("b".into()), Part::Result("c-d".into()), Part::Text("/e".into())];
        assert_eq!(found, expected);
        assert_eq!(parse("5 $ and {x}").unwrap(), [Part::Text("5 $ and {x}".into())]);
        for wrong in ["${a", "${}", "${a.b}", "${a b}", "${a.out.out}"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
