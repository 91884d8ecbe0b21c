//! What is printed at the start: where everything is, and what to try.

use std::fmt::Write as _;

use crate::{
    cli::{Cli, Program},
    cluster::Cluster,
    place::{IAX2, Place},
};

/// The greeting.
#[must_use]
pub fn text(cli: &Cli, cluster: &Cluster) -> String {
    let (place, mut text) = (Place(cli.loopback), String::from("\nTandem cluster\n\n"));
    let mut line = |label: &str, rest: String| {
        let _ = writeln!(text, "  {label:<10}{rest}");
    };
    let program =
        if cli.balancer == Program::Haproxy { "HAProxy" } else { "round robin unless --algorithm says otherwise" };
    line("Watch", format!("http://{}/", cluster.page));
    line("Balancer", format!("{} (TCP), {program}", cluster.balancer));
    for (index, name) in (0..).zip(crate::setup::NAMES) {
        let (public, private) = (place.public(index), place.private(index));
        line("PBX", format!("{name:<14} phones' media {public}, trunk {private}:{IAX2}, page http://{public}:8080/"));
    }
    let free: Vec<String> = (cli.phones..4).map(|number| (1001 + u16::from(number)).to_string()).collect();
    match free.as_slice() {
        [] => line("Your own", "start with --phones 3 to keep 1004 for a softphone of your own".to_owned()),
        free => line(
            "Your own",
            format!("softphone: user {}, password 1234, server {}, transport TCP", free.join(" or "), cluster.balancer),
        ),
    }
    line("Files", cli.work().display().to_string());
    line("Stop", "Ctrl-C".to_owned());
    text.push('\n');
    text
}
