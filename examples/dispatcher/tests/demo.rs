//! The demonstration's own callers, while its servers come and go.

mod support;

use std::sync::atomic::Ordering;
use std::time::Duration;

use dispatcher::Server;
use dispatcher::config::DestinationConfig;
use dispatcher::demo::Demo;
use support::{PATIENCE, free};
use tokio::time::{sleep, timeout};

#[tokio::test(flavor = "multi_thread")]
async fn no_call_fails_while_a_server_drains_and_its_weight_is_changed_hundreds_of_times() {
    let demo = Demo::start(free(), free(), 50).unwrap();
    let (config, outcome) = (demo.config(), demo.outcome());
    let berlin = config.sets[0].destinations.iter().find(|it| it.name() == "berlin").unwrap().clone();
    let server = Server::start(config, None).await.unwrap();
    demo.begin();
    let control = server.control();
    let of_berlin = async || {
        let status = control.status().await;
        status.destinations.into_iter().find(|it| it.name == "berlin").unwrap()
    };
    let waiting = async {
        while of_berlin().await.calls < 20 {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, waiting).await.expect("calls");
    control.drain("berlin", Some(Duration::from_secs(60))).await.unwrap();
    let at_drain = of_berlin().await;
    assert!(at_drain.drain.is_some_and(|drain| drain.left > 0 && !drain.over));
    for turn in 0..300 {
        let destination = DestinationConfig { weight: 50 + turn, ..berlin.clone() };
        control.add("demo", destination).await.unwrap();
    }
    let emptied = async {
        while of_berlin().await.drain.is_none_or(|drain| !drain.over) {
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(PATIENCE, emptied).await.expect("the drain to end");
    let after = of_berlin().await;
    assert_eq!((after.calls, after.total, after.state), (0, at_drain.total, "disabled"));
    control.enable("berlin").await.unwrap();
    let back = async {
        while of_berlin().await.total == after.total {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, back).await.expect("calls again");
    let [went, failed] = [&outcome[0], &outcome[1]].map(|it| it.load(Ordering::Relaxed));
    assert!(went > 100, "{went} calls went as they should");
    assert_eq!(failed, 0);
    server.stop().await;
}
