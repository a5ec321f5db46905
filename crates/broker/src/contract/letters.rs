//! Dead letters: one for each record, kept apart from the records.

use bytes::Bytes;

use super::restart::Faults;
use super::{Fixture, event, ids, names, publish, publish_events, reader, start, state_record, take};
use crate::letter::{DeadLetter, LETTER_BODY_LIMIT};
use crate::message::Message;

/// Many nodes write a letter about the same record; the first one is kept.
pub async fn there_is_one_letter_for_each_record(fixture: &dyn Fixture) {
    let broker = fixture.open().await;
    assert!(broker.dead_letters(10).await.expect("letters").is_empty());
    publish_events(&broker, names("e", 3)).await;
    let large = Message { body: Bytes::from(vec![7; LETTER_BODY_LIMIT + 1]), ..event("large") };
    publish(&broker, large).await;
    let records = take(&mut reader(&broker, &start(&broker).await).await, 4).await;
    for node in ["first node", "second node"] {
        for (n, record) in records.iter().enumerate() {
            let letter = DeadLetter::new(record, format!("{node}, record {n}"), 1000);
            broker.dead_letter(letter).await.expect("kept");
        }
    }
    let letters = broker.dead_letters(10).await.expect("letters");
    let reasons: Vec<&str> = letters.iter().map(|l| l.reason.as_str()).collect();
    let expected = [3, 2, 1, 0].map(|n| format!("first node, record {n}"));
    assert_eq!(reasons, expected);
    let large = &letters[0];
    assert_eq!(large.message.body.len(), LETTER_BODY_LIMIT);
    assert_eq!(large.body_size, LETTER_BODY_LIMIT as u64 + 1);
    assert_eq!(letters[3], DeadLetter::new(&records[0], "first node, record 0", 1000));
    let newest = broker.dead_letters(2).await.expect("letters");
    assert_eq!(newest, letters[..2]);
}

/// Readers of the log never see a letter.
pub async fn letters_are_no_records(fixture: &dyn Fixture) {
    let broker = fixture.open().await;
    publish(&broker, event("one")).await;
    let mut reader = reader(&broker, &start(&broker).await).await;
    let records = take(&mut reader, 1).await;
    let letter = DeadLetter::new(&records[0], "unreadable", 1000);
    broker.dead_letter(letter).await.expect("kept");
    publish(&broker, event("two")).await;
    assert_eq!(ids(&take(&mut reader, 1).await), ["two"]);
}

/// The pages contain each letter once, and each letter is found by the place of its record.
pub async fn letters_come_in_pages_and_by_place(fixture: &dyn Fixture) {
    let broker = fixture.open().await;
    publish_events(&broker, names("e", 4)).await;
    publish(&broker, state_record("flag", "state")).await;
    let records = take(&mut reader(&broker, &start(&broker).await).await, 5).await;
    // The third record has no letter.
    for record in records.iter().enumerate().filter(|(n, _)| *n != 2).map(|(_, record)| record) {
        broker.dead_letter(DeadLetter::new(record, record.message.id.clone(), 1000)).await.expect("kept");
    }
    let mut places = Vec::new();
    let mut before = None;
    loop {
        let page = broker.dead_letters_before(before, 3).await.expect("a page");
        let Some(last) = page.last() else { break };
        before = Some(last.place());
        places.extend(page.iter().map(DeadLetter::place));
    }
    let mut expected: Vec<_> = records.iter().map(|record| (record.partition, record.offset)).collect();
    let without = expected.remove(2);
    expected.sort_unstable();
    expected.reverse();
    assert_eq!(places, expected);
    for record in &records {
        let found = broker.dead_letter_at(record.partition, record.offset).await.expect("an answer");
        match found {
            None => assert_eq!((record.partition, record.offset), without),
            Some(letter) => {
                assert_eq!((letter.reason, letter.message), (record.message.id.clone(), record.message.clone()))
            }
        }
    }
    let beyond = records.iter().map(|record| record.offset).max().unwrap_or(0) + 1;
    assert_eq!(broker.dead_letter_at(records[0].partition, beyond).await.expect("an answer"), None);
}

/// A record is found by its place; looking up a place without a record is no error.
pub async fn a_record_is_found_by_its_place(fixture: &dyn Fixture) {
    let broker = fixture.open().await;
    publish_events(&broker, names("e", 3)).await;
    publish(&broker, state_record("flag", "state")).await;
    let records = take(&mut reader(&broker, &start(&broker).await).await, 4).await;
    for record in &records {
        let found = broker.record_at(record.partition, record.offset).await.expect("an answer");
        assert_eq!(found.as_ref(), Some(record));
    }
    let beyond = records.iter().map(|record| record.offset).max().unwrap_or(0) + 1;
    assert_eq!(broker.record_at(records[0].partition, beyond).await.expect("an answer"), None);
}

/// A recreated log has other records in the same places. A letter about one of them replaces the old letter.
pub async fn a_letter_about_a_recreated_log_is_kept(fixture: &dyn Faults) {
    let broker = fixture.open().await;
    publish(&broker, event("old")).await;
    let old = take(&mut reader(&broker, &start(&broker).await).await, 1).await;
    broker.dead_letter(DeadLetter::new(&old[0], "old", 1000)).await.expect("kept");
    broker.close().await;
    fixture.recreate().await;
    let broker = fixture.open().await;
    publish(&broker, event("new")).await;
    let new = take(&mut reader(&broker, &start(&broker).await).await, 1).await;
    let place = (new[0].partition, new[0].offset);
    assert_eq!(place, (old[0].partition, old[0].offset));
    for node in ["new, first node", "new, second node"] {
        broker.dead_letter(DeadLetter::new(&new[0], node, 1000)).await.expect("kept");
    }
    let expected = DeadLetter::new(&new[0], "new, first node", 1000);
    assert_eq!(broker.dead_letters(10).await.expect("letters"), std::slice::from_ref(&expected));
    assert_eq!(broker.dead_letter_at(place.0, place.1).await.expect("an answer"), Some(expected));
}
