//! This node's members of a room, packed into records that stay small.
//!
//! One record per user would cost ten thousand records when ten thousand users join at once; one per room would be
//! rewritten whole for each user. So a room has pages of so many users each, and a page is written whole when some of
//! it has changed.

use std::collections::BTreeMap;

use crate::presence::User;

/// The most users of one page.
pub(super) const PER_PAGE: usize = 50;

/// The pages of one room.
#[derive(Debug, Default)]
pub(super) struct Paging {
    pages: BTreeMap<u32, Vec<User>>,
    /// No page before this one has room.
    first_with_room: u32,
}

impl Paging {
    /// Finds a page for a user.
    pub(super) fn add(&mut self, user: User) -> u32 {
        let mut page = self.first_with_room;
        while self.pages.get(&page).is_some_and(|users| users.len() >= PER_PAGE) {
            page += 1;
        }
        self.first_with_room = page;
        self.pages.entry(page).or_default().push(user);
        page
    }

    /// Takes a user off their page.
    pub(super) fn remove(&mut self, page: u32, user: &User) {
        let Some(users) = self.pages.get_mut(&page) else { return };
        users.retain(|known| known != user);
        if users.is_empty() {
            self.pages.remove(&page);
        }
        self.first_with_room = self.first_with_room.min(page);
    }

    /// The users of a page.
    pub(super) fn of(&self, page: u32) -> &[User] {
        self.pages.get(&page).map_or(&[], Vec::as_slice)
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.pages.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use fanfare_event::Id;

    use super::*;

    fn user(number: usize) -> User {
        User { realm: None, id: Id::parse(&format!("u{number}")).expect("an id") }
    }

    #[test]
    fn pages_are_filled_before_new_ones_start() {
        let mut paging = Paging::default();
        let pages: Vec<u32> = (0..PER_PAGE * 2).map(|number| paging.add(user(number))).collect();
        assert_eq!((pages[0], pages[PER_PAGE - 1], pages[PER_PAGE]), (0, 0, 1));
        paging.remove(0, &user(7));
        assert_eq!(paging.add(user(1_000)), 0, "the room of whoever left is used again");
        assert_eq!(paging.add(user(1_001)), 2);
        assert_eq!(paging.of(0).len(), PER_PAGE);
    }
}
