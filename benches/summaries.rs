//! What it costs to understand the outputs of 50,000 nodes: `cargo bench --no-default-features --bench summaries`.
//!
//! Each node prints 20 lines of a web server's state. In the first fleet 95 % print the same, in the second each node has its
//! own times, pids, addresses and ids. Told are the medians of five rounds: taking the secrets out, as one core does it for
//! each different output; the first summary of all, which reads them; and one more summary when another 500 nodes have
//! answered, which is what a run costs at each tick. Reads use all cores.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use muster::domain::{Digest, Outcome};
use muster::redact::Redactor;
use muster::summary::{Input, Reader, Row, Threads};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

const NODES: u32 = 50_000;
const ROUNDS: usize = 5;
/// Nodes that answer between two summaries.
const TICK: usize = 500;

/// `unique`: every node has values of its own.
fn output(rng: &mut StdRng, unique: bool) -> String {
    let class = rng.random_range(0..1000u64);
    let version = if class < 10 { "1.18.0" } else { "1.24.0" };
    let mut own = |n: u64, usual: u64| if unique { rng.random_range(0..n) } else { usual };
    let (pid, used, tasks) = (300 + own(30_000, 512), 30 + own(30, 14), 2 + own(7, 1));
    let (hour, minute, second) = (own(24, 10), own(60, 2), own(60, 11));
    let (id, tag, ip) = (own(u64::from(u32::MAX), 7), own(1 << 30, 9), own(1 << 16, 3));
    let (id, used) = if unique || class < 970 { (id, used) } else { (id, used + class % 30) };
    let mut text = format!(
        "nginx version: nginx/{version}\nnginx: the configuration file /etc/nginx/nginx.conf syntax is ok\n\
         nginx: configuration file /etc/nginx/nginx.conf test is successful\n\
         ● nginx.service - A high performance web server and a reverse proxy server\n   \
         Loaded: loaded (/lib/systemd/system/nginx.service; enabled; vendor preset: enabled)\n   \
         Active: active (running) since Mon 2026-11-23 {hour:02}:{minute:02}:{second:02} UTC; 5 days ago\n     \
         Docs: man:nginx(8)\n Main PID: {pid} (nginx)\n    Tasks: {tasks} (limit: 4915)\n   Memory: {}.{}M\n   \
         CGroup: /system.slice/nginx.service\n           ├─{pid} nginx: master process /usr/sbin/nginx\n           \
         └─{} nginx: worker process\nHTTP/1.1 200 OK\nServer: nginx/{version}\nContent-Type: text/html\nETag: \"{tag:08x}\"\n\
         X-Request-Id: {id:08x}-{:04x}-4{:03x}-8{:03x}-{tag:012x}\nX-Served-By: 10.0.{}.{}\n\
         /dev/nvme0n1p1   100G  {used}G  {used}% /\n",
        pid % 90,
        pid % 10,
        pid + 1,
        ip,
        ip % 4096,
        id % 4096,
        ip >> 8,
        ip & 255,
    );
    match class {
        10..20 => text.push_str("warning: conflicting server name \"www.example.org\" on 0.0.0.0:80, ignored\n"),
        20..30 => text.push_str("nginx: [emerg] bind() to 0.0.0.0:80 failed (98: Address already in use)\n"),
        _ => {}
    }
    text
}

fn fleet(unique: bool) -> (Input, u64) {
    let mut rng = StdRng::seed_from_u64(1);
    let mut input = Input::default();
    let mut lines = 0;
    for target in 0..NODES {
        let text = output(&mut rng, unique);
        lines += text.lines().count() as u64;
        let output = Digest::of(text.as_bytes());
        let attributes: BTreeMap<String, String> = [
            ("account".to_owned(), format!("acme-{:03}", target % 200)),
            ("region".to_owned(), ["eu-west-1", "us-east-1", "ap-southeast-2"][target as usize % 3].to_owned()),
            ("tag:role".to_owned(), ["web", "api", "batch"][target as usize / 7 % 3].to_owned()),
        ]
        .into();
        input.rows.push(Row {
            target,
            outcome: Some(Outcome::Succeeded),
            exit_code: Some(0),
            output: Some(output),
            attributes: Arc::new(attributes),
            name: format!("i-{:017x}", u64::from(target) * 2_654_435_761).into(),
            ..Row::default()
        });
        input.outputs.entry(output).or_insert_with(|| Arc::from(text));
    }
    (input, lines)
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn main() {
    for (what, unique) in [("95 % print the same", false), ("every output is unique", true)] {
        let (input, lines) = fleet(unique);
        let redactor = Redactor::new(b"a key");
        let threads = Threads::of_this_machine();
        let (mut redacted, mut first, mut again) = (Vec::new(), Vec::new(), Vec::new());
        let mut findings = 0;
        for _ in 0..ROUNDS {
            let start = Instant::now();
            for text in input.outputs.values() {
                black_box(redactor.redact(text));
            }
            redacted.push(start.elapsed());
            let start = Instant::now();
            findings = black_box(Reader::with_threads(threads).summarise(&input)).findings.len();
            first.push(start.elapsed());
            let mut reader = Reader::with_threads(threads);
            let early = Input { rows: input.rows[..input.rows.len() - TICK].to_vec(), ..input.clone() };
            black_box(reader.summarise(&early));
            let start = Instant::now();
            black_box(reader.summarise(&input));
            again.push(start.elapsed());
        }
        #[expect(clippy::cast_precision_loss, reason = "for people to read")]
        let per_million = |time: Duration| time.as_secs_f64() * 1e6 / lines as f64;
        println!(
            "{what}: {} nodes, {lines} lines, {} different outputs, {findings} findings\n  \
             first summary {:.2} s per million lines; {TICK} nodes more {:.0} ms; redaction beside it {:.2} s per million lines \
             on one core",
            input.rows.len(),
            input.outputs.len(),
            per_million(median(first)),
            median(again).as_secs_f64() * 1e3,
            per_million(median(redacted)),
        );
    }
}
