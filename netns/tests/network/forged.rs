//! Packets with the addresses of others, which any container with CAP_NET_RAW can send.

use std::fs;
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::Duration;

use crate::lab::{Container, HOST6, Lab, NEIGHBOUR, NEIGHBOUR6, gateway, inside};

/// Sends a datagram, `FROM PORT TO PORT`, with a header of its own making (RFC 791, 3.1; RFC 8200, 3; RFC 768).
const FORGE: &str = "import ipaddress,socket,struct,sys
here,there=(ipaddress.ip_address(sys.argv[at]) for at in (1,3))
udp=bytearray(struct.pack('!HHHH',int(sys.argv[2]),int(sys.argv[4]),14,0)+b'forged')
summed=here.packed+there.packed+struct.pack('!HH',17,14)+udp
total=sum(struct.unpack('!%dH'%(len(summed)//2),summed))
while total>65535: total=(total&65535)+(total>>16)
udp[6:8]=struct.pack('!H',total^65535)
ip=struct.pack('!BBHHHBBH',69,0,34,1,0,64,17,0) if here.version==4 else struct.pack('!IHBB',6<<28,14,17,64)
family=socket.AF_INET if here.version==4 else socket.AF_INET6
raw=socket.socket(family,socket.SOCK_RAW,socket.IPPROTO_RAW)
raw.sendto(ip+here.packed+there.packed+udp,(str(there),0))
";

/// Has a container send a datagram to `to` that says it is from `from`.
fn forge(lab: &Lab, container: &Container, from: impl Into<SocketAddr>, to: impl Into<SocketAddr>) {
    let script = lab.directory.path().join("forge.py");
    fs::write(&script, FORGE).unwrap();
    let (from, to): (SocketAddr, SocketAddr) = (from.into(), to.into());
    let addresses = format!("{} {} {} {}", from.ip(), from.port(), to.ip(), to.port());
    let (sent, output) = lab.run_in(&container.netns, &format!("python3 {} {addresses}", script.display()));
    assert!(sent, "{output}");
}

/// Returns a socket of the neighbour's.
fn listener(lab: &Lab, address: impl Into<IpAddr>) -> UdpSocket {
    let address = address.into();
    let socket = inside(&lab.neighbour("lan"), || UdpSocket::bind((address, 9000)).unwrap());
    socket.set_read_timeout(Some(Duration::from_millis(700))).unwrap();
    socket
}

/// Returns what came.
fn received(socket: &UdpSocket) -> io::Result<String> {
    let mut buffer = [0; 64];
    let (length, _) = socket.recv_from(&mut buffer)?;
    Ok(String::from_utf8_lossy(&buffer[..length]).into_owned())
}

#[test]
#[ignore = "needs root"]
fn a_forged_sender_opens_no_way_to_whom_it_names() {
    let lab = Lab::new();
    let (mine, other) = (lab.dual_network("mine", false), lab.dual_network("other", false));
    let inner = lab.dual_network("inner", true);
    let rogue = lab.container("rogue", &[&mine], &[]);
    let (victim, inmate) = (lab.container("victim", &[&other], &[]), lab.container("inmate", &[&inner], &[]));
    let (lan, lan6) = (listener(&lab, NEIGHBOUR), listener(&lab, NEIGHBOUR6));
    // What the neighbour got, it could answer, and the answer would be let through to the one that was named.
    for (named, named6) in
        [(Some(victim.address()), victim.address6()), (Some(inmate.address()), inmate.address6()), (None, HOST6.into())]
    {
        for (named, to, socket) in [(named, IpAddr::from(NEIGHBOUR), &lan), (Some(named6), NEIGHBOUR6.into(), &lan6)] {
            let Some(named) = named else { continue };
            forge(&lab, &rogue, (named, 80), (to, 9000));
            received(socket).expect_err(&named.to_string());
        }
    }
    for (own, to, socket) in
        [(rogue.address(), IpAddr::from(NEIGHBOUR), &lan), (rogue.address6(), NEIGHBOUR6.into(), &lan6)]
    {
        forge(&lab, &rogue, (own, 80), (to, 9000));
        assert_eq!(received(socket).unwrap(), "forged", "its own address is no forgery");
    }
}

#[test]
#[ignore = "needs root"]
fn a_connection_of_somebody_else_is_no_way_out_of_an_internal_network() {
    let lab = Lab::new();
    let (outer, inner) = (lab.network("outer"), lab.internal_network("inner"));
    let (web, inmate) = (lab.container("web", &[&outer], &[]), lab.container("inmate", &[&inner], &[]));
    let lan = listener(&lab, NEIGHBOUR);
    let client = inside(&web.netns, || UdpSocket::bind((web.address(), 7000)).unwrap());
    client.send_to(b"asked", (NEIGHBOUR, 9000)).unwrap();
    let mut buffer = [0; 64];
    let (_, seen_as) = lan.recv_from(&mut buffer).unwrap();
    lan.send_to(b"answered", seen_as).unwrap();
    assert_eq!(received(&client).unwrap(), "answered", "the host knows the connection");
    let (added, output) = lab.run_in(&inmate.netns, &format!("ip route add default via {}", gateway(&inner)));
    assert!(added, "{output}");
    forge(&lab, &inmate, (web.address(), 7000), (IpAddr::from(NEIGHBOUR), 9000));
    received(&lan).unwrap_err();
}

#[test]
#[ignore = "needs root"]
fn a_container_on_two_networks_may_leave_by_either_with_each_of_its_addresses() {
    let lab = Lab::new();
    let (first, second) = (lab.network("first"), lab.network("second"));
    let both = lab.container("both", &[&first, &second], &[]);
    let lan = listener(&lab, NEIGHBOUR);
    for endpoint in &both.sandbox.endpoints {
        let address = endpoint.ipv4().unwrap().address;
        let client = inside(&both.netns, || UdpSocket::bind((address, 0)).unwrap());
        client.send_to(b"asked", (NEIGHBOUR, 9000)).unwrap();
        assert_eq!(received(&lan).unwrap(), "asked", "{address}");
    }
}
