//! What the broker does on a calm day, and what it never does on a bad one.

use super::bytes::kind;
use super::*;

const PX: i64 = 100_000_000_000;

fn frame(code: u8, body: &[u8]) -> Vec<u8> {
    let mut out = (body.len() as u32 + 4).to_le_bytes().to_vec();
    out.extend_from_slice(&[code, 0, 0, 0]);
    out.extend_from_slice(body);
    out
}

fn hello(epoch: u64, symbols: &[&str]) -> Vec<u8> {
    let mut body = [0u8; 40];
    body[0] = 1;
    body[8..16].copy_from_slice(&epoch.to_le_bytes());
    body[16..32].copy_from_slice(&sixteen("DU1"));
    body[32..34].copy_from_slice(&(symbols.len() as u16).to_le_bytes());
    let mut out = frame(1, &body);
    for (i, symbol) in symbols.iter().enumerate() {
        let mut body = [0u8; 24];
        body[..2].copy_from_slice(&(i as u16).to_le_bytes());
        body[8..].copy_from_slice(&sixteen(symbol));
        out.extend(frame(2, &body));
    }
    out
}

fn order(id: u64, side: u8, qty: i64, px: i64) -> Vec<u8> {
    let mut body = [0u8; 40];
    body[..8].copy_from_slice(&id.to_le_bytes());
    body[8..16].copy_from_slice(&qty.to_le_bytes());
    body[16..24].copy_from_slice(&px.to_le_bytes());
    body[30] = side;
    body[31] = 1;
    frame(3, &body)
}

fn cancel(id: u64) -> Vec<u8> {
    let mut body = [0u8; 16];
    body[..8].copy_from_slice(&id.to_le_bytes());
    frame(4, &body)
}

fn request(n: u64) -> Vec<u8> {
    frame(5, &n.to_le_bytes())
}

/// Messages as (type, body), in the order of their sending.
fn messages(out: &[Out]) -> Vec<(u8, Vec<u8>)> {
    out.iter()
        .filter_map(|o| match o {
            Out::Bytes(b) => Some((b[4], b[8..].to_vec())),
            Out::Close => None,
        })
        .collect()
}

fn number(body: &[u8], at: usize) -> i64 {
    i64::from_le_bytes(body[at..at + 8].try_into().unwrap())
}

/// Reports as (id, kind, qty, leaves, reason).
fn reports(out: &[Out]) -> Vec<(i64, u8, i64, i64, u16)> {
    let of = |b: &[u8]| {
        let reason = u16::from_le_bytes([b[66], b[67]]);
        (number(b, 8), b[68], number(b, 40), number(b, 48), reason)
    };
    messages(out).iter().filter(|m| m.0 == 66).map(|m| of(&m.1)).collect()
}

fn broker(plan: Plan, seed: u64) -> Broker {
    let mut broker = Broker::new(&["AAA", "BBB"], "DU1", plan, seed);
    for instrument in 0..2 {
        broker.on_quote(1, instrument, (PX - 10_000_000, 300), (PX, 300));
    }
    assert!(broker.on_connect(1));
    broker
}

fn open(plan: Plan, seed: u64) -> Broker {
    let mut broker = broker(plan, seed);
    broker.on_bytes(2, &hello(3, &["AAA", "BBB"]));
    let out = messages(&broker.advance(2));
    assert_eq!(out.len(), 1);
    assert_eq!((out[0].0, number(&out[0].1, 16)), (65, 0));
    broker
}

#[test]
fn orders_live_as_orders_do() {
    let mut b = open(Plan::calm(), 1);
    b.on_bytes(10 * MS, &order(7, 0, 100, PX - 50_000_000));
    assert_eq!(reports(&b.advance(20 * MS)), [(7, kind::ACK, 0, 100, 0)]);
    b.on_quote(30 * MS, 0, (PX - 90_000_000, 9), (PX - 50_000_000, 40));
    assert_eq!(reports(&b.advance(40 * MS)), [(7, kind::FILL, 40, 60, 0)]);
    b.on_bytes(50 * MS, &cancel(7));
    assert_eq!(reports(&b.advance(60 * MS)), [(7, kind::CANCELED, 60, 0, 0)]);
    b.on_bytes(70 * MS, &[order(7, 0, 5, PX), cancel(7), cancel(99)].concat());
    let mut told = reports(&b.advance(90 * MS));
    told.sort_unstable();
    let expected = [
        (7, kind::REJECT, 0, 0, reason::DUPLICATE),
        (7, kind::CANCEL_REJECT, 0, 0, reason::TOO_LATE),
        (99, kind::CANCEL_REJECT, 0, 0, reason::NOT_FOUND),
    ];
    assert_eq!(told, expected);
    assert_eq!(b.books().positions, [40, 0]);
    b.books().check();
}

#[test]
fn sessions_must_begin_with_what_the_broker_knows() {
    let mut wrong = hello(1, &["AAA"]);
    wrong[24] ^= 1;
    let cases = [hello(1, &["AAA", "ZZZ"]), wrong, order(1, 0, 1, PX), vec![3, 0, 0, 0, 250]];
    for bytes in cases {
        let mut b = broker(Plan::calm(), 1);
        b.on_bytes(2, &bytes);
        let out = b.advance(3);
        assert_eq!(messages(&out).last().map(|m| m.0), Some(69));
        assert_eq!(out.last(), Some(&Out::Close));
        b.on_bytes(4, &hello(1, &["AAA"]));
        assert_eq!(b.advance(5), [], "nothing is heard on a closed connection");
    }
}

#[test]
fn a_broker_that_is_away_keeps_its_books() {
    let mut b = open(Plan::calm(), 1);
    b.on_bytes(10 * MS, &order(7, 0, 100, PX - 50_000_000));
    b.advance(11 * MS);
    b.restart(12 * MS, 500 * MS);
    assert_eq!(b.advance(13 * MS), [Out::Close]);
    assert!(!b.on_connect(499 * MS) && b.on_connect(500 * MS));
    b.on_bytes(501 * MS, &hello(4, &["BBB", "AAA"]));
    b.on_bytes(502 * MS, &request(6));
    let out = messages(&b.advance(600 * MS));
    assert_eq!(number(&out[0].1, 16), 7, "the floor is the highest id seen");
    let order = out.iter().find(|m| m.0 == 67 && m.1[82] == 2).unwrap();
    assert_eq!((number(&order.1, 8), number(&order.1, 64)), (7, 100));
    assert_eq!(order.1[80..82], [1, 0], "instruments carry the new session's numbers");
}

/// Runs one seed of everything at once; returns all bytes sent and checks every complete answer
/// against the books as they were at its begin.
fn hell(seed: u64) -> (Vec<Out>, Broker) {
    let mut rng = Rng::new(seed, 99);
    let plan = Plan::draw(&mut rng).with(Fault::HelloRefused, 0);
    let plan = plan.with(Fault::IdFloorBack, 0);
    let mut b = open(plan, seed);
    let (mut all, mut now, mut id, mut asked) = (Vec::new(), 2, 100, 0);
    let mut answer: Option<(Vec<Vec<u8>>, Vec<i64>, usize)> = None;
    let mut complete = 0;
    for _ in 0..600 {
        now += rng.range(1, 100) * MS;
        let px = PX + rng.range(0, 40) as i64 * 10_000_000 - 200_000_000;
        match rng.below(8) {
            0..3 => {
                id += 1;
                let side = rng.below(2) as u8;
                b.on_bytes(now, &order(id, side, rng.range(1, 300) as i64, px));
            }
            3 => b.on_bytes(now, &cancel(rng.range(100, id))),
            4 => {
                asked += 1;
                b.on_bytes(now, &request(asked));
            }
            5 => b.on_trade(now, rng.below(2) as usize, px, 200),
            _ => b.on_quote(now, rng.below(2) as usize, (px - 10_000_000, 200), (px, 200)),
        }
        while let Some(due) = b.next_due().filter(|&t| t <= now) {
            let out = b.advance(due);
            for (code, body) in messages(&out) {
                if code != 67 {
                    continue;
                }
                if body[82] == 0 {
                    let executions = b.books().executions.iter().filter(|e| !e.busted).count();
                    answer = Some((vec![], b.books().positions.clone(), executions));
                } else if body[82] != 4 {
                    if let Some(a) = &mut answer {
                        a.0.push(body);
                    }
                } else if let Some((items, positions, executions)) = answer.take()
                    && items.len() as i64 == number(&body, 48)
                {
                    let held = items.iter().filter(|i| i[82] == 3);
                    let told: i64 = held.map(|i| number(i, 48)).sum();
                    assert_eq!(told, positions.iter().sum::<i64>(), "seed {seed} at {due}");
                    let standing = items.iter().filter(|i| i[82] == 1 && i[83] == 0);
                    assert_eq!(standing.count(), executions);
                    complete += 1;
                }
            }
            all.extend(out);
        }
        b.books().check();
    }
    assert!(asked == 0 || complete > 0 || seed > 0);
    (all, b)
}

#[test]
fn complete_answers_are_true_and_books_add_up_whatever_happens() {
    let mut happened = vec![0; Fault::ALL.len()];
    for seed in 0..500 {
        let (_, b) = hell(seed);
        for (sum, n) in happened.iter_mut().zip(b.fault_counts()) {
            *sum += n;
        }
    }
    let broker = Fault::ALL.iter().filter(|f| f.group() == crate::sim::faults::Group::Broker);
    for &fault in broker.filter(|f| !matches!(f, Fault::HelloRefused | Fault::IdFloorBack)) {
        assert!(happened[fault as usize] > 10, "{}: {}", fault.name(), happened[fault as usize]);
    }
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    for seed in 0..20 {
        assert_eq!(hell(seed).0, hell(seed).0);
    }
    assert_ne!(hell(1).0, hell(2).0);
}

#[test]
fn calm_comes_to_rest() {
    let (_, mut b) = hell(3);
    b.calm(1_000_000 * MS);
    let mut now = 1_000_000 * MS;
    while let Some(due) = b.next_due() {
        assert!(due < now + 60_000 * MS, "something happens after a minute");
        now = now.max(due);
        b.advance(due);
    }
    let foreign = b.books().orders.iter().filter(|o| o.id == 0);
    assert!(foreign.into_iter().all(|o| o.status != Status::Working));
}
