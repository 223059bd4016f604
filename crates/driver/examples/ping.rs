//! Two engines that ping each other: first in the machine's test kernel, step by step, then in the
//! real driver, with a thread and a store each. The trace is the same.

// ANCHOR: engine
use machine::{Cx, Effect, Machine, Outbox, Ports, Table, Time};

const SEEN: Table = Table::new(0, "seen");

/// What such an engine puts out: a number for the other one, once it is durable here.
#[derive(Debug)]
struct Wire;

impl Ports for Wire {
    type Held = u64;
    type Verbatim = ();
    type Advisory = ();
}

/// Notes every number it gets and answers with the next, up to ten.
struct Ping;

impl Machine for Ping {
    type Input = u64;
    type Output = Effect<Wire>;

    fn handle(&mut self, cx: &mut Cx<'_>, number: u64, out: &mut Outbox<Self::Output>) {
        cx.store.put(SEEN, number.to_be_bytes(), []);
        if number < 10 {
            out.push(Effect::Held(number + 1));
        }
    }

    fn on_deadline(&mut self, _: &mut Cx<'_>, _: &mut Outbox<Self::Output>) {}

    fn deadline(&self) -> Option<Time> {
        None
    }
}
// ANCHOR_END: engine

// ANCHOR: kernel
fn by_hand() -> Vec<u64> {
    let mut kernels = [
        machine::test::TestKernel::new(Ping, 1),
        machine::test::TestKernel::new(Ping, 2),
    ];
    let mut trace = vec![1];
    while let Some(&number) = trace.last().filter(|number| **number < 10) {
        let kernel = &mut kernels[(number % 2) as usize];
        kernel.input(number).expect("memory can be read");
        assert_eq!(kernel.released(), [], "nothing leaves before it is durable");
        kernel.commit();
        trace.extend(kernel.released());
    }
    trace
}
// ANCHOR_END: kernel

// ANCHOR: driver
struct Line(std::sync::mpsc::Sender<u64>);

impl driver::Host<Wire> for Line {
    fn held(&mut self, number: u64) {
        self.0.send(number).expect("the line is open");
    }
    fn verbatim(&mut self, (): ()) {}
    fn advisory(&mut self, (): ()) {}
    fn content(&mut self, _: machine::ContentEffect) {}
}

fn by_driver() -> Vec<u64> {
    let (sender, line) = std::sync::mpsc::channel();
    let nodes = [sender.clone(), sender].map(|sender| {
        let open = |_| Ok(driver::Opened::over(Ping, store::MemoryStore::new(&[SEEN])));
        driver::start(driver::Options::default(), open, |_| Line(sender)).expect("threads")
    });
    let mut trace = vec![1];
    while let Some(&number) = trace.last().filter(|number| **number < 10) {
        nodes[(number % 2) as usize]
            .handle()
            .send_blocking(number, 8)
            .expect("it runs");
        trace.push(line.recv().expect("an answer"));
    }
    for node in nodes {
        node.handle().stop();
        assert_eq!(node.wait(), driver::End::Stopped);
    }
    trace
}
// ANCHOR_END: driver

fn main() {
    let (kernel, driver) = (by_hand(), by_driver());
    println!("kernel {kernel:?}\ndriver {driver:?}");
    assert_eq!(kernel, driver);
}
