//! The shared cursor of the pictures over time: the script, and the line that it writes to.

use crate::plots::Series;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use maud::{Markup, html};
use sha2::{Digest, Sha256};

pub(super) const SCRIPT: &str = include_str!("cursor.js");

/// The name of a script in a content security policy.
pub(super) fn hash(script: &str) -> String {
    let digest = Sha256::digest(script.as_bytes());
    format!("sha256-{}", BASE64_STANDARD.encode(digest))
}

/// Hidden until the script runs. The numbers travel in an attribute, where nothing recorded can be taken for
/// markup or for a script.
pub(super) fn readout(series: &Series) -> Markup {
    let data = serde_json::to_string(series).expect("numbers and texts have a form in JSON");
    html! {
        div #moment.readout hidden tabindex="0" role="slider" data-series=(data)
            aria-label="Moment of the run; arrow keys move it, page keys go from fault to fault"
            aria-valuemin=(series.from_s) aria-valuemax=(series.to_s) aria-valuenow=(series.from_s) {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_the_one_that_browsers_compute() {
        // The example of the standard "Content Security Policy Level 3", section 2.3.1 (source lists).
        assert_eq!(
            hash("doSubmit()"),
            "sha256-jzgBGA4UWFFmpOBq0JpdsySukE1FrEN5bUpoK8Z29fY="
        );
    }

    #[test]
    fn the_script_stays_inside_its_element_and_names_no_place_outside() {
        for forbidden in ["</", "<!--", "://", "import", "fetch", "innerHTML", "eval"] {
            assert!(!SCRIPT.contains(forbidden), "{forbidden}");
        }
    }
}
