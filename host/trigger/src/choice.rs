//! The words that a schedule chooses among.

/// A closed set of words, each a behaviour.
pub trait Choice: Copy + 'static {
    /// All of them, the default first.
    const ALL: &'static [Self];
    /// As a manifest writes it.
    fn word(self) -> &'static str;

    /// The behaviour of this word.
    fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|choice| choice.word() == text)
    }
}

macro_rules! choice {
    ($(#[$doc:meta])* $name:ident { $($(#[$about:meta])* $case:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name {
            $($(#[$about])* $case,)*
        }

        impl Choice for $name {
            const ALL: &'static [Self] = &[$(Self::$case,)*];

            fn word(self) -> &'static str {
                match self {
                    $(Self::$case => $word,)*
                }
            }
        }
    };
}

choice!(
    /// What becomes of a wall-clock time that a change of clocks leaves out.
    Gap {
        /// It runs at the first moment after the gap; several left-out times are one run.
        Next = "next",
        /// It does not run.
        Skip = "skip",
    }
);
choice!(
    /// What becomes of a wall-clock time that a change of clocks repeats.
    Fold {
        /// It runs the first time.
        Once = "once",
        /// It runs both times.
        Twice = "twice",
    }
);
choice!(
    /// What becomes of instants that nobody looked at in their minute: the server was down or stood still.
    Missed {
        /// The last of them runs, if none that is on time follows: yesterday's numbers once, not seven times.
        Latest = "latest",
        /// All run, one after another.
        All = "all",
        /// None runs.
        None = "none",
    }
);
choice!(
    /// What becomes of an instant while the run of an earlier one is under way.
    Overlap {
        /// It is passed over.
        Skip = "skip",
        /// It waits; a later one takes its place.
        BufferOne = "buffer-one",
        /// It waits behind those that wait already.
        BufferAll = "buffer-all",
        /// The run under way is cancelled, and it runs once that has ended.
        CancelOther = "cancel-other",
        /// It runs beside it.
        Allow = "allow",
    }
);
choice!(
    /// Which instants of a backfill run first.
    Order {
        Oldest = "oldest",
        Newest = "newest",
    }
);
