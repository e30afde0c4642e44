//! Whether this process runs in a container, and which address its network's gateway has there: where a
//! published port goes through address translation, every client may appear under it.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

/// The gateway of the container's network; `None` outside of one, and where there is no network.
pub(super) fn network_gateway(root: &Path) -> Option<IpAddr> {
    let marks = [".dockerenv", "run/.containerenv"];
    if !marks.iter().any(|mark| root.join(mark).exists()) {
        return None;
    }
    let routes = std::fs::read_to_string(root.join("proc/net/route")).ok()?;
    routes.lines().find_map(default_gateway)
}

/// Of one line of `/proc/net/route` (proc(5)): interface, destination, gateway, …, in hexadecimal and in the
/// byte order of the machine.
fn default_gateway(line: &str) -> Option<IpAddr> {
    let mut fields = line.split_whitespace().skip(1);
    let (destination, gateway) = (fields.next()?, fields.next()?);
    if destination != "00000000" {
        return None;
    }
    let bits = u32::from_str_radix(gateway, 16).ok()?;
    let address = Ipv4Addr::from(bits.to_ne_bytes());
    (!address.is_unspecified()).then_some(address.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gateway_is_that_of_the_default_route_in_a_container_alone() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("proc/net");
        std::fs::create_dir_all(&folder).unwrap();
        let gateway = u32::from_ne_bytes([172, 18, 0, 1]);
        let routes = format!(
            "Iface\tDestination\tGateway \tFlags\neth0\t000012AC\t00000000\t0001\neth0\t00000000\t{gateway:08X}\t0003\n"
        );
        std::fs::write(folder.join("route"), routes).unwrap();
        assert_eq!(network_gateway(root.path()), None, "no container");
        std::fs::write(root.path().join(".dockerenv"), "").unwrap();
        assert_eq!(
            network_gateway(root.path()),
            Some(IpAddr::from([172, 18, 0, 1]))
        );
        for routes in [
            "",
            "Iface",
            "eth0\t00000000\tnonsense",
            "eth0\t00000000\t00000000",
        ] {
            std::fs::write(folder.join("route"), routes).unwrap();
            assert_eq!(network_gateway(root.path()), None, "{routes}");
        }
    }
}
