//! Both PBXs are stopped and started again: phones and trunk find each other without anybody's help.

use interop::baresip::{Baresip, Setup};
use interop::thesis::Cluster;
use interop::wait::until;
use std::time::{Duration, Instant};

/// baresip registers again when its minute is nearly over, and no sooner when its connection is closed.
const PATIENCE: Duration = Duration::from_secs(120);

#[test]
fn registrations_and_the_trunk_come_back_by_themselves() {
    let mut cluster = Cluster::start("back");
    let setup = Setup { user: "1001", transport: "tcp", tone: 440.0, answers: true };
    let mut phone = Baresip::start_refreshing(&cluster.ports, &cluster.folder, cluster.front, &setup, 60);
    cluster.home_of("1001");
    cluster.members.iter_mut().for_each(|member| member.stop());
    // One after the other, so that the first one's first registration finds nobody.
    cluster.members[0].start();
    std::thread::sleep(Duration::from_secs(1));
    cluster.members[1].start();
    let began = Instant::now();
    cluster.wait_for_trunk();
    println!("the trunk is back after {:?}", began.elapsed());
    until("the phone's registration", PATIENCE, || {
        cluster.members.iter().any(|member| member.is_registered("1001")).then_some(())
    });
    println!("the phone is back after {:?}", began.elapsed());
    phone.quit();
    cluster.stop();
}
