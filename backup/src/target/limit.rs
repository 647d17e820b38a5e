//! A limit to how fast a target is fed, so that an upload leaves room for others.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::Flow;

/// The same stream, no faster than so many bytes a second.
pub(super) fn limited(mut flow: mpsc::Receiver<Flow>, rate: u64) -> mpsc::Receiver<Flow> {
    let (give, slow) = mpsc::channel(1);
    tokio::spawn(async move {
        let mut due = Instant::now();
        while let Some(next) = flow.recv().await {
            let bytes = match &next {
                Flow::Block(block) => block.len() as u64,
                Flow::End(_) => 0,
            };
            if give.send(next).await.is_err() {
                return;
            }
            // What was not used while the source was slow is not made up for.
            due = due.max(Instant::now()) + pause(bytes, rate);
            sleep_until(due).await;
        }
    });
    slow
}

/// How long so many bytes may take.
fn pause(bytes: u64, rate: u64) -> Duration {
    let micros = bytes.saturating_mul(1_000_000) / rate.max(1);
    Duration::from_micros(micros)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seal::Sum;

    #[tokio::test(start_paused = true)]
    async fn a_stream_is_no_faster_than_its_limit_and_loses_nothing() {
        let (give, flow) = mpsc::channel(4);
        let mut slow = limited(flow, 1000);
        let began = Instant::now();
        tokio::spawn(async move {
            for _ in 0..10 {
                give.send(Flow::Block(vec![7; 500].into())).await.unwrap();
            }
            let sum = Sum {
                raw_bytes: 0,
                raw_sha256: String::new(),
                stored_bytes: 5000,
                stored_sha256: String::new(),
            };
            give.send(Flow::End(sum)).await.unwrap();
        });
        let mut bytes = 0;
        while let Flow::Block(block) = slow.recv().await.unwrap() {
            bytes += block.len();
        }
        assert_eq!(bytes, 5000);
        assert!(began.elapsed() >= Duration::from_secs(5));
    }
}
