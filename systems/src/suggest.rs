//! "Did you mean": the known name that is nearest to a misspelt one.

/// The candidate within a few edits of `word`, nearest first; none when all are far away.
pub(crate) fn nearest<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let tolerance = (word.chars().count() / 3).clamp(1, 4);
    candidates
        .into_iter()
        .map(|candidate| (strsim::levenshtein(word, candidate), candidate))
        .filter(|(distance, _)| *distance <= tolerance)
        .min()
        .map(|(_, candidate)| candidate)
}

/// ` (did you mean ...?)`, or nothing.
pub(crate) fn hint<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    nearest(word, candidates)
        .map(|name| format!("; did you mean `{name}`?"))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_finds_the_name_and_a_foreign_word_finds_none() {
        let names = ["checkpoint.every", "log.retention", "sync"];
        assert_eq!(nearest("checkpont.every", names), Some("checkpoint.every"));
        assert_eq!(nearest("snyc", ["sync"]), None, "two edits in four letters");
        assert_eq!(nearest("syn", names), Some("sync"));
        assert_eq!(nearest("electron", names), None);
    }
}
