use super::overlay::{covers, overlay};
use super::*;
use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;
use std::collections::BTreeMap;

type Model = BTreeMap<Vec<u8>, Vec<u8>>;

fn content(pages: &Pages) -> Model {
    let mut content = Model::new();
    pages.scan(&[], |key, value| {
        content.insert(key.to_vec(), value.to_vec());
        ControlFlow::<()>::Continue(())
    });
    content
}

/// Changes both alike; every eighth change is a removal, some values are far larger than a page.
fn change(rng: &mut Pcg64Mcg, lsn: Lsn, keys: u64, pages: &mut Pages, model: &mut Model) {
    let key = format!("key{:05}", rng.next_u64() % keys).into_bytes();
    if rng.next_u64().is_multiple_of(8) {
        let old = pages.remove(lsn, &key);
        assert_eq!(old, model.remove(&key).map(|value| value.len()));
        return;
    }
    let len = match rng.next_u64() % 200 {
        0 => 20_000,
        small => small,
    };
    let value = vec![rng.next_u64() as u8; len as usize];
    let old = pages.put(lsn, &key, &value);
    assert_eq!(old, model.insert(key, value).map(|value| value.len()));
}

#[test]
fn it_holds_what_an_ordered_map_holds_through_splits_and_merges() {
    let mut rng = Pcg64Mcg::seed_from_u64(1);
    let (mut pages, mut model) = (Pages::default(), Model::new());
    for lsn in 1..30_000 {
        change(&mut rng, lsn, 3_000, &mut pages, &mut model);
    }
    assert_eq!(content(&pages), model);
    let all = pages.all();
    assert_eq!(all.len() as u64, pages.counters().pages);
    let bytes: usize = all.iter().map(|page| page.leaf().bytes().len()).sum();
    assert_eq!(bytes as u64, pages.counters().bytes);
    for key in model.keys().cloned().collect::<Vec<_>>() {
        pages.remove(30_000, &key);
    }
    assert_eq!(pages.counters().bytes, 0);
    assert!(pages.counters().pages <= 2, "{:?}", pages.counters());
}

#[test]
fn a_capture_stays_as_it_was() {
    let mut rng = Pcg64Mcg::seed_from_u64(2);
    let (mut pages, mut model) = (Pages::default(), Model::new());
    for lsn in 1..5_000 {
        change(&mut rng, lsn, 500, &mut pages, &mut model);
    }
    let (capture, then, sum) = (pages.clone(), model.clone(), pages.sum());
    for lsn in 5_000..9_000 {
        change(&mut rng, lsn, 500, &mut pages, &mut model);
    }
    assert_eq!(content(&capture), then);
    assert_eq!(capture.sum(), sum);
    assert_ne!(pages.sum(), sum);
}

#[test]
fn what_changed_since_any_lsn_laid_over_the_state_then_is_the_state_now() {
    let mut rng = Pcg64Mcg::seed_from_u64(3);
    let (mut pages, mut model) = (Pages::default(), Model::new());
    let mut captures = vec![(0, pages.clone())];
    for lsn in 1..12_000 {
        change(&mut rng, lsn, 800, &mut pages, &mut model);
        if lsn.is_multiple_of(1_000) {
            captures.push((lsn, pages.clone()));
        }
    }
    for (lsn, capture) in captures {
        let changed = pages.changed_since(lsn, false);
        assert!(changed.iter().all(|page| page.leaf().lsn > lsn));
        let built = Pages::build(overlay(changed, capture.all())).unwrap();
        assert_eq!(content(&built), model, "since {lsn}");
        assert_eq!(built.sum(), pages.sum());
        assert_eq!(built.counters().bytes, pages.counters().bytes);
    }
}

#[test]
fn pages_that_were_cut_otherwise_are_clipped_where_newer_ones_begin_and_end() {
    // The same history, but one of the two is cut at other keys: its pages hold the values twice as long first.
    let mut rng = Pcg64Mcg::seed_from_u64(4);
    for round in 0..50 {
        let (mut one, mut other, mut model) = (Pages::default(), Pages::default(), Model::new());
        for number in 0..400u64 {
            other.put(0, format!("key{number:05}").as_bytes(), &[0; 150]);
        }
        for number in 0..400u64 {
            other.remove(0, format!("key{number:05}").as_bytes());
        }
        for lsn in 1..600 {
            let mut twin = model.clone();
            let mut same = rng.clone();
            change(&mut rng, lsn, 300, &mut one, &mut model);
            change(&mut same, lsn, 300, &mut other, &mut twin);
        }
        let base = other.clone();
        for lsn in 600..600 + round * 10 {
            change(&mut rng, lsn, 300, &mut one, &mut model);
        }
        let changed = one.changed_since(599, false);
        let built = Pages::build(overlay(changed, base.all())).unwrap();
        assert_eq!(content(&built), model);
        assert_eq!(built.sum(), one.sum());
    }
}

#[test]
fn the_number_of_changed_pages_is_known_without_a_walk() {
    let mut rng = Pcg64Mcg::seed_from_u64(5);
    let (mut pages, mut model) = (Pages::default(), Model::new());
    for lsn in 1..5_000 {
        change(&mut rng, lsn, 2_000, &mut pages, &mut model);
    }
    pages.mark_captured(4_999);
    for lsn in 5_000..5_050 {
        pages.put(lsn, format!("key{:05}", lsn % 40).as_bytes(), b"new");
    }
    let changed = pages.changed_since(4_999, false).len() as u64;
    assert!(
        pages.counters().changed_pages.abs_diff(changed) <= 2,
        "{changed} {:?}",
        pages.counters()
    );
}

#[test]
fn pages_with_a_gap_are_refused_and_cover_is_exact() {
    let page = |low: &str, high: Option<&str>| {
        Page::new(
            low.as_bytes().into(),
            high.map(|high| high.as_bytes().into()),
            Leaf::empty(1),
        )
    };
    let pages = vec![page("", Some("c")), page("d", None)];
    assert_eq!(
        Pages::build(pages.clone()).unwrap_err(),
        PageError::Gap { at: "d".into() }
    );
    assert!(Pages::build(vec![page("", Some("c"))]).is_err());
    assert!(Pages::build(vec![page("", Some("c")), page("c", None)]).is_ok());
    assert!(covers(&pages, b"a", Some(b"c")) && !covers(&pages, b"a", Some(b"cc")));
    assert!(covers(&pages, b"e", None) && !covers(&pages, b"c", Some(b"d")));
}
