use super::*;

/// Watches a scheduler from outside and holds it to its rules.
#[derive(Default)]
pub(super) struct Watch {
    slots: BTreeMap<NodeId, u16>,
    held: BTreeMap<(JobId, Epoch), NodeId>,
    /// Submits that were taken on, with their submitter, and how each ended.
    open: BTreeMap<(JobId, Epoch), (NodeId, Millis)>,
    granted: BTreeSet<(JobId, Epoch)>,
    latest: BTreeMap<JobId, Epoch>,
    to_open: Vec<(NodeId, JobId, Epoch)>,
    up: BTreeSet<NodeId>,
    grants: usize,
}

impl Watch {
    pub(super) fn saw(&mut self, now: Millis, input: &Input) {
        match input {
            Input::NodeUp { node, .. } => {
                self.gone(*node);
                self.up.insert(*node);
            }
            Input::Offer { node, offer } if self.up.contains(node) => {
                self.slots.insert(*node, offer.slots);
            }
            Input::NodeDown { node } => self.gone(*node),
            Input::Submit { submitter, submit } if self.up.contains(submitter) => {
                let id = (submit.job, submit.epoch);
                if !self.granted.contains(&id) {
                    self.open.entry(id).or_insert((*submitter, now));
                }
            }
            // Only a run that was granted can have had a stream that ends; for any other this says nothing.
            Input::Finished { job, epoch, .. } if self.granted.contains(&(*job, *epoch)) => {
                self.held.remove(&(*job, *epoch));
            }
            Input::Declined { node, job, epoch, .. } => {
                let id = (*job, *epoch);
                if self.held.get(&id) == Some(node) && !self.granted.contains(&id) {
                    self.held.remove(&id);
                }
            }
            Input::Cancel { submitter, job } => self.end(|id, by| id.0 == *job && by == *submitter),
            _ => {}
        }
    }

    fn gone(&mut self, node: NodeId) {
        self.up.remove(&node);
        self.slots.remove(&node);
        self.held.retain(|_, lender| *lender != node);
        self.end(|_, by| by == node);
    }

    fn end(&mut self, which: impl Fn(&(JobId, Epoch), NodeId) -> bool) {
        let ended: Vec<_> = self.open.iter().filter(|(id, (by, _))| which(id, *by)).map(|(id, _)| *id).collect();
        for id in ended {
            self.open.remove(&id);
            self.held.remove(&id);
        }
    }

    pub(super) fn did(&mut self, now: Millis, outputs: &[Output]) {
        for output in outputs {
            match output {
                Output::Reserve(reserve) => self.reserved(reserve),
                Output::Grant(grant) => {
                    let id = (grant.submit.job, grant.submit.epoch);
                    assert_eq!(self.held.get(&id), Some(&grant.lender), "granted what was not reserved");
                    assert!(self.granted.insert(id), "granted twice: {id:?}");
                    let (by, since) = self.open.remove(&id).expect("granted what nobody waits for");
                    assert_eq!(by, grant.submitter);
                    assert!(now.since(since) <= WAIT_MAX_MS + RESERVE_MAX_MS + 4_000);
                    self.to_open.push((by, id.0, id.1));
                    self.grants += 1;
                }
                Output::Refused { submitter, job, epoch, why } => {
                    let id = (*job, *epoch);
                    let waits = self.open.get(&id).is_some_and(|(by, _)| by == submitter);
                    assert!(waits || *why == Refusal::BadEpoch, "refused what nobody waits for");
                    if waits {
                        self.open.remove(&id);
                        self.held.remove(&id);
                    }
                }
                Output::Release { lender, job, epoch } => {
                    if self.held.get(&(*job, *epoch)) == Some(lender) {
                        self.held.remove(&(*job, *epoch));
                    }
                }
                Output::Cut { job, epoch, .. } => {
                    self.held.remove(&(*job, *epoch));
                }
                Output::Queued { .. } | Output::Learned { .. } => {}
            }
        }
    }

    fn reserved(&mut self, reserve: &Reserve) {
        let id = (reserve.submit.job, reserve.submit.epoch);
        assert!(!self.granted.contains(&id), "reserved after its grant: {id:?}");
        assert!(self.open.contains_key(&id), "reserved for nobody: {id:?}");
        let latest = self.latest.entry(id.0).or_insert(id.1);
        *latest = (*latest).max(id.1);
        self.held.insert(id, reserve.lender);
        let held = self.held.values().filter(|lender| **lender == reserve.lender).count();
        let slots = self.slots.get(&reserve.lender).copied().unwrap_or(0);
        assert!(held <= usize::from(slots), "{held} jobs on {slots} slots of {:?}", reserve.lender);
    }

    pub(super) fn grants_to_open(&mut self) -> Vec<(NodeId, JobId, Epoch)> {
        std::mem::take(&mut self.to_open)
    }

    pub(super) fn opened(&mut self, job: JobId, epoch: Epoch, opened: bool) {
        assert!(opened || !self.held.contains_key(&(job, epoch)), "a good grant was not opened");
    }

    pub(super) fn all_ended(&self) {
        assert!(self.open.is_empty(), "never answered: {:?}", self.open);
    }
}

/// A number generator that anyone can repeat: xorshift64.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

/// A pool in virtual time: nodes come and go, accept or decline, and run jobs at their own speed.
struct World {
    now: Millis,
    dice: Dice,
    scheduler: Scheduler,
    watch: Watch,
    events: BTreeMap<(Millis, u64), Event>,
    count: u64,
    lost: usize,
}

enum Event {
    Into(Input),
    Ask(u8),
    Leave(u8),
    Return(u8),
}

impl World {
    fn new(seed: u64) -> Self {
        Self {
            now: Millis(0),
            dice: Dice(seed.wrapping_mul(2_654_435_761) | 1),
            scheduler: Scheduler::new(seed, ["m".to_owned()]),
            watch: Watch::default(),
            events: BTreeMap::new(),
            count: 0,
            lost: 0,
        }
    }

    fn later(&mut self, ms: u64, event: Event) {
        self.count += 1;
        self.events.insert((self.now.plus(ms), self.count), event);
    }

    fn run(&mut self, until: Millis) {
        loop {
            let due = self.scheduler.next_deadline().map(|due| due.max(self.now));
            let next = self.events.first_key_value().map(|(key, _)| key.0);
            let Some(at) = due.into_iter().chain(next).min().filter(|at| *at <= until) else { return };
            self.now = at;
            let event = if next == Some(at) { self.events.pop_first().map(|(_, event)| event) } else { None };
            match event {
                None => self.step(Input::Tick),
                Some(Event::Into(input)) => self.step(input),
                Some(Event::Ask(n)) => self.ask(n),
                Some(Event::Leave(n)) => {
                    self.step(Input::NodeDown { node: node(n) });
                    let away = 1_000 + self.dice.roll(20_000);
                    self.later(away, Event::Return(n));
                }
                Some(Event::Return(n)) => self.arrive(n),
            }
        }
    }

    fn arrive(&mut self, n: u8) {
        self.step(Input::NodeUp { node: node(n), groups: vec![format!("team{}", n % 3)], user: n.to_string() });
        let tps = f32::from(n % 7 + 1) * 10.0;
        self.step(Input::Offer { node: node(n), offer: offer("m", u16::from(n % 4), Some(tps)) });
        let stay = 10_000 + self.dice.roll(60_000);
        self.later(stay, Event::Leave(n));
    }

    fn ask(&mut self, n: u8) {
        let mut submit = submit(n, 1, "m");
        submit.job.0[..8].copy_from_slice(&self.count.to_le_bytes());
        self.count += 1;
        self.step(Input::Submit { submitter: node(n), submit });
        let pause = 200 + self.dice.roll(2_000);
        self.later(pause, Event::Ask(n));
    }

    fn step(&mut self, input: Input) {
        self.watch.saw(self.now, &input);
        let out = self.scheduler.handle(self.now, input);
        self.watch.did(self.now, &out);
        for output in out {
            match output {
                Output::Reserve(reserve) => self.lender(&reserve),
                Output::Cut { .. } => self.lost += 1,
                _ => {}
            }
        }
        for (submitter, job, epoch) in self.watch.grants_to_open() {
            let opened = self.scheduler.open(self.now, submitter, job, epoch);
            self.watch.opened(job, epoch, opened.is_ok());
            let length = 500 + self.dice.roll(5_000);
            self.later(length, Event::Into(Input::Finished { job, epoch, lender_lost: false }));
        }
    }

    fn lender(&mut self, reserve: &Reserve) {
        let (node, job, epoch) = (reserve.lender, reserve.submit.job, reserve.submit.epoch);
        let input = match self.dice.roll(10) {
            0 => return,
            1 => Input::Declined { node, job, epoch, code: Code::Busy },
            _ => Input::Accepted { node, job, epoch, nonce: [1; 16] },
        };
        let delay = self.dice.roll(50);
        self.later(delay, Event::Into(input));
    }
}

#[test]
fn a_pool_that_comes_and_goes_keeps_its_rules() {
    for seed in 1..=20 {
        let mut world = World::new(seed);
        for n in 1..30 {
            world.arrive(n);
            world.later(u64::from(n) * 10, Event::Ask(n));
        }
        world.run(Millis(300_000));
        assert!(world.watch.grants > 1_000, "seed {seed}: only {} grants", world.watch.grants);
        assert!(world.lost > 10, "seed {seed}: the losses did not happen");
        world.events.retain(|_, event| matches!(event, Event::Into(_)));
        world.run(Millis(u64::MAX));
        world.watch.all_ended();
        let load = world.scheduler.load();
        assert_eq!((load.waiting, load.held), (0, 0), "seed {seed}");
    }
}

/// With both teams always waiting, neither may be ahead of the other by more than the bound of virtual token counters:
/// twice the largest cost that can be under way.
#[test]
fn a_greedy_team_gets_no_more_than_its_share() {
    let mut scheduler = Scheduler::new(3, ["m".to_owned()]);
    let up = |n: u8, group: &str| Input::NodeUp { node: node(n), groups: vec![group.into()], user: n.to_string() };
    let now = Millis(0);
    let _ = scheduler.handle(now, up(1, "greedy"));
    let _ = scheduler.handle(now, up(2, "modest"));
    let _ = scheduler.handle(now, up(3, "lenders"));
    let slots = 4;
    let mut running = std::collections::VecDeque::new();
    let mut served = BTreeMap::<NodeId, u64>::new();
    let mut number = 0_u64;
    let mut ask = |scheduler: &mut Scheduler, by: u8, tokens: u32| {
        number += 1;
        let mut submit = submit(by, 1, "m");
        submit.job.0[0] = by;
        submit.job.0[1..9].copy_from_slice(&number.to_le_bytes());
        (submit.prompt_tokens, submit.max_tokens) = (tokens, tokens);
        scheduler.handle(now, Input::Submit { submitter: node(by), submit })
    };
    // The greedy team asks for much more, and for more at a time.
    for _ in 0..60 {
        let _ = ask(&mut scheduler, 1, 400);
        let _ = ask(&mut scheduler, 1, 400);
        let _ = ask(&mut scheduler, 2, 50);
    }
    let mut out = scheduler.handle(now, Input::Offer { node: node(3), offer: offer("m", slots, None) });
    let largest = 400 + 2 * 400;
    for _ in 0..400 {
        for output in std::mem::take(&mut out) {
            let Output::Reserve(reserve) = output else { continue };
            let (job, epoch) = (reserve.submit.job, reserve.submit.epoch);
            let _ = scheduler.handle(now, Input::Accepted { node: node(3), job, epoch, nonce: [0; 16] });
            scheduler.open(now, reserve.submitter, job, epoch).unwrap();
            let tokens = u64::from(reserve.submit.prompt_tokens);
            *served.entry(reserve.submitter).or_default() += tokens * 3;
            running.push_back((job, epoch));
            let again = ask(&mut scheduler, reserve.submitter.0[0], reserve.submit.prompt_tokens);
            assert!(again.iter().all(|out| matches!(out, Output::Queued { .. })), "{again:?}");
        }
        let (greedy, modest) = (served.get(&node(1)).copied().unwrap_or(0), served.get(&node(2)).copied().unwrap_or(0));
        let bound = 2 * u64::from(slots) * largest;
        assert!(greedy.abs_diff(modest) <= bound, "{greedy} and {modest} differ by more than {bound}");
        let (job, epoch) = running.pop_front().unwrap();
        out = scheduler.handle(now, Input::Finished { job, epoch, lender_lost: false });
    }
    assert!(served.values().all(|tokens| *tokens > 20_000), "{served:?}");
}

/// `cargo test -p lull-core --release -- --ignored --nocapture decisions`
#[test]
#[ignore = "a measurement: 100,000 nodes"]
fn decisions_are_timed() {
    const NODES: u32 = 100_000;
    const JOBS: u32 = 200_000;
    let name = |n: u32| {
        let mut id = [0; 16];
        id[..4].copy_from_slice(&n.to_be_bytes());
        id
    };
    let mut dice = Dice(7);
    let mut scheduler = Scheduler::new(1, ["m".to_owned()]);
    let now = Millis(0);
    for n in 0..NODES {
        let _ = scheduler.handle(
            now,
            Input::NodeUp { node: NodeId(name(n)), groups: vec![format!("g{}", n % 100)], user: n.to_string() },
        );
        let tps = 5.0 + dice.roll(200) as f32;
        let _ = scheduler.handle(now, Input::Offer { node: NodeId(name(n)), offer: offer("m", 2, Some(tps)) });
    }
    let mut times = Vec::with_capacity(JOBS as usize);
    let mut running = std::collections::VecDeque::new();
    for n in 0..JOBS {
        let mut submit = submit(1, 1, "m");
        submit.job = JobId(name(n));
        let submitter = NodeId(name(dice.roll(u64::from(NODES)) as u32));
        let start = std::time::Instant::now();
        let out = scheduler.handle(now, Input::Submit { submitter, submit });
        times.push(start.elapsed().as_nanos() as u64);
        let lender = reserved(&out).unwrap();
        let (job, epoch) = (JobId(name(n)), Epoch(1));
        let _ = scheduler.handle(now, Input::Accepted { node: lender, job, epoch, nonce: [0; 16] });
        scheduler.open(now, submitter, job, epoch).unwrap();
        running.push_back(job);
        if running.len() > 50_000 {
            let job = running.pop_front().unwrap();
            let _ = scheduler.handle(now, Input::Finished { job, epoch, lender_lost: false });
        }
    }
    times.sort_unstable();
    let sum: u64 = times.iter().sum();
    let per_s = u64::from(JOBS) * 1_000_000_000 / sum;
    let at = |part: usize| times[times.len() * part / 1_000];
    println!("{per_s} decisions/s; p50 {} ns, p99 {} ns, p99.9 {} ns", at(500), at(990), at(999));
}
