//! Rules that a test may break in the product's own code, to check that the simulation notices.
//!
//! Each is asked at the one place that keeps it. Outside of tests every rule is kept, and asking costs nothing.

/// One rule, by what keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rule {
    /// The compacted state is read before the log is followed.
    StateBeforeLog,
    /// A node takes connections once it has read what was there when it started.
    ReadyAfterReadingBack,
    /// What was published to a new stream before the node noticed is delivered to its open tabs.
    NewStreamLive,
    /// The state of a new stream is read once its window was delivered.
    StateOfNewStream,
    /// Tabs that were open then come back, to be checked against that state.
    CloseForNewState,
    /// The state is read again after records were lost.
    StateAfterGap,
    /// Tabs that were open when records were lost come back with their cursors.
    CloseAtGap,
    /// No cursor goes beyond lost records before tabs were closed for them.
    GapBeforeCursors,
    /// Where the reader passes places without a record, the node comes as far.
    HolesArePassed,
    /// An event that comes twice is delivered once.
    Deduplicate,
    /// The replay of a dead letter is delivered if its record was only learnt.
    ReplayOfLearnt,
    /// What cannot be used gets its letter also if it was stored while no node ran.
    LettersWhileReadingBack,
    /// A token that a logout has ended is refused where a connection opens.
    RefusedAtConnect,
    /// Groups are announced before a connect reads the state.
    JoinBeforeLook,
    /// A token is looked at again once its connection has joined its groups.
    LookAfterJoining,
    /// A logout closes the tabs that are open.
    LogoutFelt,
    /// Another token saves no tab that a logout has ended.
    EndedNotRefreshed,
    /// An org that is closed ends the tabs that are open.
    OrgCloseFelt,
    /// Whether its org is closed is looked at again once a connection has joined its groups.
    OrgLookedAt,
    /// A grant puts open tabs into a group that is joined without a call.
    GrantFelt,
    /// A withdrawal takes open tabs out of the group.
    WithdrawalFelt,
    /// A change of roles puts open tabs into other groups.
    RolesFelt,
    /// Users who may name any org hear the groups that they joined for other orgs.
    OtherOrgsHeard,
    /// Users who may no longer name any org leave the groups of other orgs.
    OtherOrgsLeft,
    /// What comes too early waits for its turn.
    Throttled,
    /// What waits in a throttle is sent once its turn has come.
    ThrottledTold,
    /// No cursor goes beyond what waits in a throttle.
    HeldInCursors,
    /// A resume sends of a granted group only what is within its grants.
    GrantsOnResume,
    /// No cursor goes beyond an event while a notification of it is still to be sent to the tab.
    WholeEvents,
    /// A resume begins at the cursor.
    ResumeFromCursor,
    /// A group that is joined right after a resume, or during it, is replayed from the cursor.
    JoinsReplayed,
    /// Of resumes that go on with `more` it is the first whose cursor counts for such joins.
    JoinsFromFirst,
    /// A resume says so if something after the cursor has left the window.
    IncompleteSaid,
    /// `Cursor()` is no further than the deliveries that were handed to the tab.
    CursorBehindDeliveries,
    /// What is retained is sent to a tab that has caught up.
    RetainedTold,
    /// A tab hears nothing before it has said where it stands.
    WaitsToBeTold,
    /// A cursor beyond where a tab became live, before it has resumed, is not complete.
    ClaimsNoMore,
    /// A replay turns no state back that was sent live.
    NeverTurnsBack,
    /// A tab that says nothing gets its notifications after a moment.
    QuietHears,
    /// What waits for a tab is not sent once it has left the group.
    LeftIsNotTold,
    /// What waits for a tab is sent in the order in which it came.
    OrderKept,
    /// A tab that takes less than comes reads on from the log.
    BehindReadsOn,
    /// What a tab was sent from the log is not sent live as well.
    ToldOnce,
    /// What is kept for a tab that waits is bounded in memory.
    WaitsWithinBounds,
    /// Deliveries are checked against a tab's orgs again.
    OrgsChecked,
    /// A resume is complete for a partition that its cursor's holder knows nothing of only from its first record on.
    UnreadFromFirst,
    /// A user who is in a place by one tab does not come again by another.
    PresentOnce,
    /// A user leaves a place with the last tab, on whichever node.
    LastOneLeaves,
    /// A user whose connection was lost stays for a moment.
    LostLingers,
    /// A user whose tabs give no sign is gone.
    SilentIsGone,
    /// A user who leaves again and again is gone later each time.
    LeavesAreBounded,
    /// A user who comes into many places is announced only so fast.
    ComingIsPaid,
    /// What changes in a large place is gathered for a moment.
    LargeIsGathered,
    /// With a node that is gone its members are.
    EndedAreGone,
    /// A tab gets changes of a room only after its snapshot.
    ChangesBehindSnapshot,
    /// A tab that missed a change gets another snapshot.
    SnapshotAfterGap,
    /// The others are told who has joined.
    OthersAlone,
    /// Users of one org hear nothing of who is there of another.
    RoomsOfOrgs,
}

/// Whether a rule is kept: always, but in a test that breaks it.
#[inline]
pub(crate) fn kept(rule: Rule) -> bool {
    #[cfg(test)]
    return BROKEN.get() != Some(rule);
    #[cfg(not(test))]
    {
        let _ = rule;
        true
    }
}

#[cfg(test)]
thread_local! {
    static BROKEN: std::cell::Cell<Option<Rule>> = const { std::cell::Cell::new(None) };
}

/// Breaks a rule on this thread for as long as what it gives back lives.
#[cfg(test)]
pub(crate) fn break_one(rule: Rule) -> Broken {
    BROKEN.set(Some(rule));
    Broken
}

/// A rule is broken as long as this lives.
#[cfg(test)]
pub(crate) struct Broken;

#[cfg(test)]
impl Drop for Broken {
    fn drop(&mut self) {
        BROKEN.set(None);
    }
}
