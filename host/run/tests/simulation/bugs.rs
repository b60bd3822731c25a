//! Bugs to be planted in the world round the machine, each of a kind that somebody could make: the simulation must find them.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bug {
    /// The journal says that a batch is on disk before it is.
    AcknowledgesTooEarly,
    /// What happened is told before it is on disk.
    TellsTooEarly,
    /// A version's number is looked up long before it is taken.
    NumbersTooEarly,
    /// A resumed run starts from a view that lacks the last records.
    ResumesFromAnOldView,
    /// The time for which a run waits never comes.
    Oversleeps,
    /// The loop does not hear of the end of an attempt whose worker died.
    LosesAnEnd,
    /// A page is committed without a look at where the source is.
    CommitsPagesBlindly,
    /// The cache does not care for the run's logical time.
    CachesTheTime,
    /// What a schedule decided is not written down.
    ForgetsWhatIsSettled,
    /// What a schedule decided is written down before the run begins, in a batch of its own.
    SettlesTooEarly,
    /// The sweep does not know of the pages of sources.
    SweepsPages,
    /// The sweep takes what an attempt has just left.
    SweepsWhatIsYoung,
    /// The same tenant always comes first.
    IsUnfair,
    /// Whoever waits does not say for which pool.
    ForgetsPools,
    /// Or of which priority.
    ForgetsPriorities,
    /// Whoever ends does not give the place in its pool back.
    KeepsAPlace,
    /// What a schedule leaves is not settled when another version is deployed.
    ForgetsTheHandover,
    /// A resumed run goes on with the steps of the version that is deployed now.
    ResumesTheNewest,
    /// What follows a run follows one that failed, too.
    FollowsAnything,
    /// What ended while nobody looked has no followers.
    CatchesUpNothing,
    /// A move is noted after its run began, in a batch of its own.
    NotesAMoveLate,
    /// An attempt that runs ahead records something before it is on record that it began.
    RecordsAheadOfItsTurn,
    /// What a clock settled that had leapt ahead is settled for good.
    StaysSilent,
    /// Files that move again start another run beside the one that their last move started.
    MovesBeside,
    /// What items gave is put together in the order in which it came.
    GathersAsItCame,
    /// The plan that was stored has lost whether the highest or the lowest is the best.
    LosesTheDirection,
}

impl Bug {
    pub(crate) const ALL: [Self; 26] = [
        Self::AcknowledgesTooEarly,
        Self::TellsTooEarly,
        Self::NumbersTooEarly,
        Self::ResumesFromAnOldView,
        Self::Oversleeps,
        Self::LosesAnEnd,
        Self::CommitsPagesBlindly,
        Self::CachesTheTime,
        Self::ForgetsWhatIsSettled,
        Self::SettlesTooEarly,
        Self::SweepsPages,
        Self::SweepsWhatIsYoung,
        Self::IsUnfair,
        Self::ForgetsPools,
        Self::ForgetsPriorities,
        Self::KeepsAPlace,
        Self::ForgetsTheHandover,
        Self::ResumesTheNewest,
        Self::FollowsAnything,
        Self::CatchesUpNothing,
        Self::NotesAMoveLate,
        Self::RecordsAheadOfItsTurn,
        Self::StaysSilent,
        Self::MovesBeside,
        Self::GathersAsItCame,
        Self::LosesTheDirection,
    ];
}
