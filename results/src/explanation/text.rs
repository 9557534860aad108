//! Text in pictures: how wide it is, about, and how it is cut and broken.

/// Sizes in pixels.
pub(super) const SIZE: f64 = 12.0;
/// Of a character at [`SIZE`], in the widest of the fonts asked for, on average.
pub(super) const CHAR: f64 = 7.1;

pub(super) fn width(text: &str) -> f64 {
    text.chars().count() as f64 * CHAR
}

/// Cut to a width, with a sign that it was.
pub(super) fn clip(text: &str, to: f64) -> String {
    let room = (to / CHAR + 0.01).floor().max(1.0) as usize;
    if text.chars().count() <= room {
        return text.to_owned();
    }
    let mut cut: String = text.chars().take(room.saturating_sub(1)).collect();
    cut.push('…');
    cut
}

/// Broken between words into lines of a width. A longer word is a line of its own, cut.
pub(super) fn wrap(text: &str, to: f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        let longer = width(&line) + width(word) + CHAR;
        if !line.is_empty() && longer > to {
            lines.push(clip(&std::mem::take(&mut line), to));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    if !line.is_empty() {
        lines.push(clip(&line, to));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_broken_between_words_and_cut_where_a_word_is_too_long() {
        assert_eq!(wrap("one two three", 8.0 * CHAR), ["one two", "three"]);
        assert_eq!(wrap("abcdefghijkl m", 5.0 * CHAR), ["abcd…", "m"]);
        assert_eq!(wrap("", 50.0), [""; 0]);
        assert_eq!(clip("äöü", 3.0 * CHAR), "äöü");
        assert_eq!(clip("äöüß", 3.0 * CHAR), "äö…");
    }
}
