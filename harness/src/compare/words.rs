//! Flags in one text, as a shell would split them: words, with quotes around those that hold spaces.

/// None where a quote is not closed.
pub(crate) fn split(text: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for c in text.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), c) => word.get_or_insert_default().push(c),
            (None, '"' | '\'') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (None, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    quote.is_none().then_some(words)
}

/// A word as a shell takes it, in quotes if it needs them.
pub(crate) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@%".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', "'\"'\"'")),
    }
}

#[cfg(test)]
mod tests {
    use super::{quoted, split};

    #[test]
    fn quotes_keep_words_together() {
        let words = split("  --time 5s --set 'a=b c' --name \"\" ").unwrap();
        assert_eq!(words, ["--time", "5s", "--set", "a=b c", "--name", ""]);
        assert_eq!(split("").unwrap(), Vec::<String>::new());
    }

    #[test]
    fn an_open_quote_is_refused() {
        assert_eq!(split("--set 'a=b"), None);
    }

    #[test]
    fn a_quoted_word_is_one_word() {
        for word in ["plain", "two words", "it's", "", "a=b;c", "$HOME"] {
            assert_eq!(split(&quoted(word)).unwrap(), [word]);
        }
        assert_eq!(quoted("--set"), "--set");
    }
}
