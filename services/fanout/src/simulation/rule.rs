//! Rules of delivery that a run may break on purpose: what proves that breaking them is noticed.
//!
//! Those that the product's own code keeps are in [`crate::rule`].

/// One rule, by what a node, or what stands for it here, does to keep it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    /// What a shard is sent, it does in the order in which it was sent.
    OrderKept,
    /// A token that a logout has ended is refused at connect.
    RefuseAtConnect,
}

/// The rules that a run keeps: all, or all but one.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Rules {
    broken: Option<Rule>,
}

impl Rules {
    pub(super) fn all() -> Self {
        Self::default()
    }

    pub(super) fn but(rule: Rule) -> Self {
        Self { broken: Some(rule) }
    }

    pub(super) fn keep(self, rule: Rule) -> bool {
        self.broken != Some(rule)
    }
}
