//! Sampled log lines: each kind gets some per minute, and the rest is counted.

use std::collections::HashMap;
use std::time::{Duration, Instant};

/// How many lines of one kind are written in a window.
const LINES: u32 = 10;

/// How long a window is.
const WINDOW: Duration = Duration::from_secs(60);

/// The decision about one line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Write it.
    Write,
    /// Do not write it; it is the first left out, and the number is to be logged after this time.
    FirstLeftOut(Duration),
    /// Do not.
    LeftOut,
}

#[derive(Debug)]
struct Window {
    began: Instant,
    lines: u32,
    left_out: u64,
}

/// Decides which lines of which kind are written. The kinds are the program's own names, so they are few.
#[derive(Debug, Default)]
pub struct Sampled {
    windows: HashMap<&'static str, Window>,
}

impl Sampled {
    /// Whether a line of a kind is written.
    pub fn say(&mut self, kind: &'static str, now: Instant) -> Decision {
        let fresh = || Window { began: now, lines: 0, left_out: 0 };
        let window = self.windows.entry(kind).or_insert_with(fresh);
        // A window with lines left out stays until their number is logged.
        if window.left_out == 0 && now.saturating_duration_since(window.began) >= WINDOW {
            *window = fresh();
        }
        if window.lines < LINES {
            window.lines += 1;
            return Decision::Write;
        }
        window.left_out += 1;
        if window.left_out > 1 {
            return Decision::LeftOut;
        }
        Decision::FirstLeftOut(WINDOW.saturating_sub(now.saturating_duration_since(window.began)))
    }

    /// How many lines of a kind were left out; the next window begins.
    pub fn left_out(&mut self, kind: &'static str) -> u64 {
        self.windows.remove(kind).map_or(0, |window| window.left_out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_writes_ten_lines_and_is_counted() {
        let (now, mut sampled) = (Instant::now(), Sampled::default());
        let said: Vec<Decision> = (0..3000).map(|_| sampled.say("expired", now + Duration::from_secs(1))).collect();
        assert_eq!(said.iter().filter(|said| **said == Decision::Write).count(), 10);
        assert_eq!(said[10], Decision::FirstLeftOut(WINDOW));
        assert!(said[11..].iter().all(|said| *said == Decision::LeftOut), "one task tells of them");
        assert_eq!(sampled.say("missing", now), Decision::Write, "another kind has lines of its own");
        assert_eq!(sampled.left_out("expired"), 2990);
        assert_eq!(sampled.left_out("expired"), 0);
        assert_eq!(sampled.say("expired", now), Decision::Write);
    }

    #[test]
    fn a_few_lines_now_and_then_are_all_written() {
        let (now, mut sampled) = (Instant::now(), Sampled::default());
        for minute in 0..100 {
            for _ in 0..10 {
                assert_eq!(sampled.say("expired", now + WINDOW * minute), Decision::Write);
            }
        }
    }
}
