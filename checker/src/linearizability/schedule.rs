//! Who can take effect when: the entries of one object in the order of their deadlines, as bare numbers.
//!
//! This is all that the search reads of an object. The position of an entry in the order of deadlines
//! is its *rank*. Just before the deadline of rank r, the entries *open* are those called by then that
//! are of rank r or later: of them the next to take effect is chosen. Each has a *slot* while it is
//! open, a small number, used again later.

use super::entries::{Entry, NEVER, Values, position};

/// Open entries are listed for each rank as long as the lists take no more than so many numbers for
/// each entry, and at all [`LISTED_MIN`].
const LISTED_PER_ENTRY: usize = 64;
const LISTED_MIN: usize = 1 << 20;

#[derive(Debug, Default)]
pub struct Schedule {
    pub items: Vec<Item>,
    /// The entries with a deadline, by rank.
    pub order: Vec<u32>,
    /// By class: whether several entries have it.
    pub shared: Vec<bool>,
    /// For models with footprints.
    pub values: Option<Values>,
    /// The entries without a deadline, by class and call: here the position is the slot.
    pub optional: Vec<u32>,
    /// The stretches of `optional` that are of one class.
    pub optional_classes: Vec<OptionalClass>,
    /// Slots needed, for those with a deadline and those without.
    pub width: u32,
    pub optional_width: u32,
    /// Whether some write waits unobserved.
    pub has_unobserved: bool,
    open: Open,
    /// The reads with a deadline, by call; and by rank, how many of them have been called.
    reads: Vec<u32>,
    reads_called: Vec<u32>,
}

/// What the search needs to know of an entry.
#[derive(Clone, Copy, Debug)]
pub struct Item {
    pub call: u32,
    pub deadline: u32,
    pub class: u32,
    pub slot: u32,
    pub read: bool,
    pub unobserved: bool,
}

#[derive(Clone, Copy, Debug)]
pub struct OptionalClass {
    pub class: u32,
    pub start: u32,
    pub end: u32,
}

/// The open entries of each rank.
#[derive(Debug)]
enum Open {
    Listed {
        mutators: Lists,
        reads: Lists,
    },
    /// So many are open for so long that lists would take too much memory: by rank, one more than the
    /// last rank of an open entry. Between there are also entries that are not called yet.
    Scanned {
        ends: Vec<u32>,
        /// The ranks of entries that are no reads, by class.
        classes: Lists,
    },
}

impl Default for Open {
    fn default() -> Self {
        Open::Scanned {
            ends: Vec::new(),
            classes: Lists::default(),
        }
    }
}

/// Lists one after the other: the one of number n is `members[starts[n]..starts[n + 1]]`.
#[derive(Debug, Default)]
struct Lists {
    members: Vec<u32>,
    starts: Vec<u32>,
}

impl Lists {
    fn at(&self, number: u32) -> &[u32] {
        let number = number as usize;
        &self.members[self.starts[number] as usize..self.starts[number + 1] as usize]
    }

    fn close(&mut self, open: &[u32]) {
        self.members.extend_from_slice(open);
        self.starts.push(position(self.members.len()));
    }
}

/// The entries of a schedule in which very many are open at a time.
pub struct Crowd<'s> {
    schedule: &'s Schedule,
    ends: &'s [u32],
    classes: &'s Lists,
}

impl<'s> Crowd<'s> {
    pub fn classes(&self) -> usize {
        self.classes.starts.len() - 1
    }

    /// The entries of a class that may be open at a rank, by deadline.
    pub fn at(&self, class: u32, rank: u32) -> impl Iterator<Item = u32> + use<'s> {
        let (schedule, end) = (self.schedule, self.ends[rank as usize]);
        let ranks = self.classes.at(class);
        let first = ranks.partition_point(|other| *other < rank);
        ranks[first..]
            .iter()
            .take_while(move |other| **other < end)
            .map(|other| schedule.order[*other as usize])
    }
}

impl Schedule {
    pub fn arrange(entries: &[Entry<'_>], classes: usize, values: Option<Values>) -> Self {
        let mut uses = vec![0u32; classes];
        for entry in entries {
            uses[entry.class as usize] += 1;
        }
        let mut schedule = Self {
            items: entries
                .iter()
                .map(|entry| Item {
                    call: entry.call,
                    deadline: entry.deadline,
                    class: entry.class,
                    slot: 0,
                    read: entry.operation.op().is_read_only(),
                    unobserved: entry.unobserved,
                })
                .collect(),
            shared: uses.into_iter().map(|uses| uses > 1).collect(),
            has_unobserved: entries.iter().any(|entry| entry.unobserved),
            values,
            ..Self::default()
        };
        schedule.arrange_optional();
        schedule.arrange_deadlines();
        schedule
    }

    fn arrange_optional(&mut self) {
        let items = &self.items;
        self.optional = (0..position(items.len()))
            .filter(|at| items[*at as usize].deadline == NEVER)
            .collect();
        self.optional
            .sort_unstable_by_key(|at| (items[*at as usize].class, items[*at as usize].call));
        self.optional_width = position(self.optional.len());
        for (slot, at) in (0..).zip(&self.optional) {
            let item = &mut self.items[*at as usize];
            item.slot = slot;
            match self.optional_classes.last_mut() {
                Some(last) if last.class == item.class => last.end = slot + 1,
                _ => self.optional_classes.push(OptionalClass {
                    class: item.class,
                    start: slot,
                    end: slot + 1,
                }),
            }
        }
    }

    fn arrange_deadlines(&mut self) {
        let items = &mut self.items;
        self.order = (0..position(items.len()))
            .filter(|at| items[*at as usize].deadline != NEVER)
            .collect();
        let mut by_call = self.order.clone();
        self.order.sort_unstable_by_key(|at| {
            let item = &items[*at as usize];
            (item.deadline, item.call)
        });
        by_call.sort_by_key(|at| items[*at as usize].call);
        self.reads = by_call
            .iter()
            .copied()
            .filter(|at| items[*at as usize].read)
            .collect();

        // Slots, and how much there would be to list.
        let mut free: Vec<u32> = Vec::new();
        let mut next = by_call.iter().peekable();
        let (mut open, mut listed, mut reads) = (0, 0, 0);
        self.reads_called.reserve_exact(self.order.len());
        for at in &self.order {
            let deadline = items[*at as usize].deadline;
            while let Some(new) = next.next_if(|new| items[**new as usize].call < deadline) {
                let item = &mut items[*new as usize];
                reads += u32::from(item.read);
                item.slot = free.pop().unwrap_or_else(|| {
                    self.width += 1;
                    self.width - 1
                });
                open += 1;
            }
            self.reads_called.push(reads);
            listed += open;
            open -= 1;
            // The entry itself is open: its call comes before its deadline.
            free.push(items[*at as usize].slot);
        }
        let lists = listed <= LISTED_MIN.max(LISTED_PER_ENTRY * self.order.len());
        self.open = match lists {
            true => self.list(&by_call),
            false => self.ends(&by_call),
        };
    }

    fn ranks(&self) -> Vec<u32> {
        let mut ranks = vec![0; self.items.len()];
        for (rank, at) in (0..).zip(&self.order) {
            ranks[*at as usize] = rank;
        }
        ranks
    }

    fn list(&self, by_call: &[u32]) -> Open {
        let ranks = self.ranks();
        let (mut mutators, mut reads) = (Lists::default(), Lists::default());
        let (mut open_mutators, mut open_reads): (Vec<u32>, Vec<u32>) = (Vec::new(), Vec::new());
        let mut next = by_call.iter().peekable();
        mutators.starts.push(0);
        reads.starts.push(0);
        for at in &self.order {
            let deadline = self.item(*at).deadline;
            while let Some(new) = next.next_if(|new| self.item(**new).call < deadline) {
                let open = match self.item(*new).read {
                    true => &mut open_reads,
                    false => &mut open_mutators,
                };
                let place =
                    open.partition_point(|other| ranks[*other as usize] < ranks[*new as usize]);
                open.insert(place, *new);
            }
            mutators.close(&open_mutators);
            reads.close(&open_reads);
            let open = match self.item(*at).read {
                true => &mut open_reads,
                false => &mut open_mutators,
            };
            // The first of its kind, as its deadline is the next.
            open.remove(0);
        }
        Open::Listed { mutators, reads }
    }

    fn ends(&self, by_call: &[u32]) -> Open {
        let ranks = self.ranks();
        let mut next = by_call.iter().peekable();
        let mut end = 0;
        let ends = self.order.iter().map(|at| {
            let deadline = self.item(*at).deadline;
            while let Some(new) = next.next_if(|new| self.item(**new).call < deadline) {
                end = end.max(ranks[*new as usize] + 1);
            }
            end
        });
        let ends = ends.collect();
        let mut by_class: Vec<Vec<u32>> = vec![Vec::new(); self.shared.len()];
        for (rank, at) in (0..).zip(&self.order) {
            let item = self.item(*at);
            if !item.read {
                by_class[item.class as usize].push(rank);
            }
        }
        let mut classes = Lists::default();
        classes.starts.push(0);
        by_class.retain(|ranks| !ranks.is_empty());
        for ranks in by_class {
            classes.close(&ranks);
        }
        Open::Scanned { ends, classes }
    }

    /// Goes on as if very many entries were open at a time.
    #[cfg(test)]
    pub fn make_crowd(&mut self) {
        let mut by_call = self.order.clone();
        by_call.sort_by_key(|at| self.item(*at).call);
        self.open = self.ends(&by_call);
    }

    #[inline]
    pub fn item(&self, entry: u32) -> &Item {
        &self.items[entry as usize]
    }

    /// By deadline, all open entries that are no reads; there may be others among them: see
    /// [`is_open`](Self::is_open).
    #[inline]
    pub fn mutators_at(&self, rank: u32) -> &[u32] {
        match &self.open {
            Open::Listed { mutators, .. } => mutators.at(rank),
            Open::Scanned { ends, .. } => &self.order[rank as usize..ends[rank as usize] as usize],
        }
    }

    /// Where the open entries of a rank are many: their classes, none of which has only reads. Then the
    /// entries of a class are better asked for than looked for among all.
    #[inline]
    pub fn crowd(&self) -> Option<Crowd<'_>> {
        match &self.open {
            Open::Listed { .. } => None,
            Open::Scanned { ends, classes } => Some(Crowd {
                schedule: self,
                ends,
                classes,
            }),
        }
    }

    /// As [`mutators_at`](Self::mutators_at), for reads.
    #[inline]
    pub fn reads_at(&self, rank: u32) -> &[u32] {
        match &self.open {
            Open::Listed { reads, .. } => reads.at(rank),
            Open::Scanned { ends, .. } => &self.order[rank as usize..ends[rank as usize] as usize],
        }
    }

    /// Reads that are called between the deadline before and this one.
    #[inline]
    pub fn new_reads_at(&self, rank: u32) -> &[u32] {
        let before = match rank {
            0 => 0,
            _ => self.reads_called[rank as usize - 1],
        };
        &self.reads[before as usize..self.reads_called[rank as usize] as usize]
    }

    /// Whether an entry that the lists of this rank name is called by then.
    #[inline]
    pub fn is_open(&self, item: &Item, rank: u32) -> bool {
        item.call < self.deadline_of(rank)
    }

    #[inline]
    pub fn deadline_of(&self, rank: u32) -> u32 {
        self.item(self.order[rank as usize]).deadline
    }

    /// Ranks.
    pub fn len(&self) -> u32 {
        position(self.order.len())
    }

    /// Bytes that this holds, about.
    pub fn memory(&self) -> usize {
        let open = match &self.open {
            Open::Listed { mutators, reads } => {
                mutators.members.capacity()
                    + mutators.starts.capacity()
                    + reads.members.capacity()
                    + reads.starts.capacity()
            }
            Open::Scanned { ends, classes } => {
                ends.capacity() + classes.members.capacity() + classes.starts.capacity()
            }
        };
        let leave = self.values.as_ref().map_or(0, |values| {
            values.leave.capacity() * size_of::<super::look_ahead::Leave>()
        });
        self.items.capacity() * size_of::<Item>()
            + leave
            + (open
                + self.order.capacity()
                + self.optional.capacity()
                + self.reads.capacity()
                + self.reads_called.capacity())
                * size_of::<u32>()
    }
}
