//! Invite links and addresses as text.

use proptest::prelude::*;
use wire::{
    AddressError, CoreLink, Host, JoinLink, Link, LinkError, NodeAddress, TopicLink, limits,
};

use crate::samples::{address, core, core_link, join_link, named_address, node, topic_link};
use crate::strategies::any_address;

#[test]
fn links_are_read_in_either_case() {
    let text = join_link().to_text().unwrap();
    assert!(text.starts_with("way:join/"));
    assert_eq!(text.parse(), Ok(join_link()));
    assert_eq!(text.to_uppercase().parse(), Ok(join_link()));
    assert_eq!(text.parse(), Ok(Link::Join(join_link())));
    let text = core_link().to_text().unwrap();
    assert_eq!(text.to_uppercase().parse(), Ok(core_link()));
    assert_eq!(text.parse(), Ok(Link::Core(core_link())));
    assert_eq!(text.parse::<JoinLink>(), Err(LinkError::Prefix));
}

#[test]
fn upper_case_links_are_what_qr_codes_store_tightly() {
    let text = join_link().to_text().unwrap().to_uppercase();
    assert!(
        text.bytes()
            .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b":/".contains(&b))
    );
}

#[test]
fn lengths_are_within_what_is_promised() {
    let one =
        |host: &str| -> NodeAddress { format!("{}@{host}", node().node_id()).parse().unwrap() };
    let longest = format!("{}.{}:65535", "a".repeat(26), "b".repeat(11));
    for (hosts, expected) in [
        (vec!["1.2.3.4:1"], limits::MIN_LINK),
        (vec!["[2001:db8::1]:4433"], limits::MIN_LINK),
        (vec!["a:1"], limits::MIN_LINK),
        (vec![longest.as_str(), longest.as_str()], limits::MAX_LINK),
    ] {
        let link = JoinLink {
            seed: [0xff; 16],
            at: hosts.iter().map(|host| one(host)).collect(),
        };
        let text = link.to_text().unwrap();
        assert_eq!(text.len(), expected, "{text}");
        assert_eq!(text.parse(), Ok(link));
    }
    let too_long = format!("{}.{}:1", "a".repeat(26), "b".repeat(12));
    let link = JoinLink {
        seed: [0; 16],
        at: vec![one(&too_long)],
    };
    assert_eq!(link.to_text(), Err(LinkError::Address));
    for count in [0, 3] {
        let link = JoinLink {
            seed: [0; 16],
            at: vec![address(); count],
        };
        assert_eq!(link.to_text(), Err(LinkError::Address));
    }
}

#[test]
fn links_of_public_topics_name_two_nodes_or_none() {
    let longest = format!("{}.{}:65535", "a".repeat(26), "b".repeat(11));
    let long: NodeAddress = format!("{}@{longest}", node().node_id()).parse().unwrap();
    for (at, expected) in [
        (vec![], Some(limits::MIN_TOPIC_LINK)),
        (vec![address()], Some(154)),
        (vec![address(), address()], Some(238)),
        (vec![long.clone()], Some(190)),
        (vec![long.clone(), address()], Some(273)),
        (vec![long.clone(), long], None),
        (vec![address(); 3], None),
    ] {
        let link = TopicLink { at, ..topic_link() };
        let Some(expected) = expected else {
            assert_eq!(link.to_text(), Err(LinkError::Address));
            continue;
        };
        let text = link.to_text().unwrap();
        assert_eq!(text.len(), expected, "{text}");
        assert_eq!(text.parse(), Ok(link.clone()));
        assert_eq!(text.to_uppercase().parse(), Ok(Link::Topic(link)));
        // Neither passes for the link of an invite, nor does one for it.
        assert_eq!(text.parse::<JoinLink>(), Err(LinkError::Prefix));
        let posed = text.replace("way:topic/", "way:join/");
        assert!(posed.parse::<Link>().is_err());
        for at in 0..text.len() {
            let mut changed = text.clone().into_bytes();
            changed[at] = if changed[at] == b'a' { b'b' } else { b'a' };
            let changed = String::from_utf8(changed).unwrap();
            assert!(changed.parse::<Link>().is_err(), "{changed}");
            assert!(text[..at].parse::<Link>().is_err());
        }
    }
    let join = join_link().to_text().unwrap();
    assert!(
        join.replace("way:join/", "way:topic/")
            .parse::<Link>()
            .is_err()
    );
}

#[test]
fn every_wrong_character_is_noticed() {
    let text = join_link().to_text().unwrap();
    for at in 0..text.len() {
        for replacement in ['a', '7', '0', ' ', 'é', 'A'] {
            let mut changed: Vec<char> = text.chars().collect();
            if changed[at] == replacement {
                continue;
            }
            changed[at] = replacement;
            let changed: String = changed.into_iter().collect();
            assert!(changed.parse::<Link>().is_err(), "{changed}");
        }
        assert!(text[..at].parse::<Link>().is_err());
    }
    assert!(format!("{text}a").parse::<Link>().is_err());
}

#[test]
fn an_invite_of_one_kind_does_not_pass_for_the_other() {
    let text = core_link().to_text().unwrap();
    let swapped = text.replacen("core", "join", 1);
    assert_eq!(swapped.parse::<Link>(), Err(LinkError::Checksum));
}

#[test]
fn garbage_is_answered_with_its_reason() {
    assert_eq!("".parse::<Link>(), Err(LinkError::Prefix));
    assert_eq!(
        "https://example.org".parse::<Link>(),
        Err(LinkError::Prefix)
    );
    assert_eq!("way:join/".parse::<Link>(), Err(LinkError::Garbled));
    assert_eq!("way:join/aaaa".parse::<CoreLink>(), Err(LinkError::Garbled));
    let long = format!("way:join/{}", "a".repeat(100_000));
    assert_eq!(long.parse::<Link>(), Err(LinkError::Garbled));
}

#[test]
fn links_made_later_say_so() {
    // The first byte is the version, the second the flags.
    for byte in [0, 1] {
        let text = core_link().to_text().unwrap();
        let digits = text.strip_prefix("way:core/").unwrap().to_uppercase();
        let mut bytes = data_encoding::BASE32_NOPAD
            .decode(digits.as_bytes())
            .unwrap();
        bytes[byte] = 1;
        let content = bytes.len() - 4;
        let checksum = identity::seal::hash(&[b"way:core/", &bytes[..content]]);
        bytes[content..].copy_from_slice(&checksum[..4]);
        let later = format!("WAY:CORE/{}", data_encoding::BASE32_NOPAD.encode(&bytes));
        assert_eq!(later.parse::<Link>(), Err(LinkError::Version));
    }
}

/// A link with this address entry (kind, place) under a right checksum.
fn link_with(kind: u8, place: &[u8]) -> Result<Link, LinkError> {
    let mut bytes = vec![0, 0];
    bytes.extend_from_slice(&[7; 16]);
    bytes.extend_from_slice(node().node_id().as_bytes());
    bytes.extend_from_slice(&[kind, place.len() as u8]);
    bytes.extend_from_slice(place);
    let checksum = identity::seal::hash(&[b"way:join/", &bytes]);
    bytes.extend_from_slice(&checksum[..4]);
    format!("WAY:JOIN/{}", data_encoding::BASE32_NOPAD.encode(&bytes)).parse()
}

#[test]
fn one_address_has_one_form_in_a_link() {
    let name = |text: &str, len: usize| {
        let mut place = vec![0, 80];
        place.extend_from_slice(text.as_bytes());
        place.resize(2 + len, 0);
        place
    };
    assert!(link_with(2, &name("a.example", 16)).is_ok());
    assert!(link_with(2, &name("long.name.example", 17)).is_ok());
    for (text, len) in [
        ("a.example", 17),
        ("long.name.example", 18),
        ("A.example", 16),
        ("", 16),
        ("1.2.3.4", 16),
        ("a b", 16),
        ("a\0b", 16),
    ] {
        assert_eq!(
            link_with(2, &name(text, len)),
            Err(LinkError::Address),
            "{text} {len}"
        );
    }
    let ip = [&[0; 10][..], &[0xff, 0xff, 1, 2, 3, 4, 0, 80]].concat();
    assert!(link_with(1, &ip).is_ok());
    let no_port = [&ip[..16], &[0, 0]].concat();
    assert_eq!(link_with(1, &no_port), Err(LinkError::Address));
    let longer = [&ip[..], &[0]].concat();
    assert_eq!(link_with(1, &longer), Err(LinkError::Address));
    let too_long = [&ip[..], &[0; 23]].concat();
    assert_eq!(link_with(1, &too_long), Err(LinkError::Address));
    assert_eq!(link_with(9, &ip), Err(LinkError::Version));
}

#[test]
fn seeds_are_not_printed() {
    let shown = format!("{:?} {:?}", join_link(), core_link());
    assert!(!shown.contains("177") && !shown.contains("b1b1"), "{shown}");
}

#[test]
fn an_address_for_tls_alone_says_so() {
    let id = node().node_id();
    let text = format!("tls://{id}@core.example.org:4433");
    let address: NodeAddress = text.parse().unwrap();
    assert_ne!(address, named_address());
    assert_eq!((address.to_string(), address.uri()), (text.clone(), text));
    // What a transport dials, and how that becomes an address again.
    let dialled = address.authority();
    assert_eq!(dialled, "tls://core.example.org:4433");
    assert_eq!(NodeAddress::of(&id, &dialled), Ok(address.clone()));
    assert_eq!(NodeAddress::of(&id, &address.uri()), Ok(address.clone()));
    assert_eq!(
        NodeAddress::of(&id, "core.example.org:4433"),
        Ok(named_address())
    );
    assert_eq!(
        NodeAddress::of(&id, "core.example.org"),
        Err(AddressError::Port)
    );
    // In a link there is no room for it.
    let link = CoreLink {
        at: address,
        ..core_link()
    };
    let read: CoreLink = link.to_text().unwrap().parse().unwrap();
    assert_eq!(read.at, named_address());
}

#[test]
fn addresses_have_two_forms() {
    let plain = named_address().to_string();
    assert!(plain.starts_with("node1") && plain.ends_with("@core.example.org:4433"));
    assert_eq!(plain.parse(), Ok(named_address()));
    assert_eq!(format!("quic://{plain}").parse(), Ok(named_address()));
    assert_eq!(named_address().uri().parse(), Ok(named_address()));
    assert_eq!(named_address().authority(), "core.example.org:4433");
    let mixed = format!("{}@Core.Example.ORG:4433", node().node_id());
    assert_eq!(mixed.parse(), Ok(named_address()));
    let mapped = format!("{}@[::ffff:198.51.100.7]:4433", core().node_id());
    assert_eq!(mapped.parse(), Ok(address()));
}

#[test]
fn addresses_that_are_none() {
    let id = node().node_id();
    for (text, error) in [
        (String::new(), AddressError::Node),
        ("core.example.org:4433".to_owned(), AddressError::Node),
        ("node1qqqq@host:1".to_owned(), AddressError::Node),
        (format!("http://{id}@host:1"), AddressError::Scheme),
        (format!("tls:{id}@host:1"), AddressError::Node),
        (format!("{id}@tls://host:1"), AddressError::Scheme),
        (format!("{id}@host"), AddressError::Port),
        (format!("{id}@host:"), AddressError::Port),
        (format!("{id}@host:0"), AddressError::Port),
        (format!("{id}@host:65536"), AddressError::Port),
        (format!("{id}@host:+1"), AddressError::Port),
        (format!("{id}@:1"), AddressError::Host),
        (format!("{id}@2001:db8::1:4433"), AddressError::Host),
        (format!("{id}@[1.2.3.4]:1"), AddressError::Host),
        (format!("{id}@[fe80::1%eth0]:1"), AddressError::Host),
        (format!("{id}@1.2.3:1"), AddressError::Host),
        (format!("{id}@1.2.3.256:1"), AddressError::Host),
        (format!("{id}@-a.example:1"), AddressError::Host),
        (format!("{id}@a..b:1"), AddressError::Host),
        (format!("{id}@a_b:1"), AddressError::Host),
        (format!("{id}@{}:1", "a".repeat(64)), AddressError::Host),
        (format!("{id}@{}:1", "a".repeat(400)), AddressError::Host),
    ] {
        assert_eq!(text.parse::<NodeAddress>(), Err(error), "{text}");
    }
}

proptest! {
    #[test]
    fn addresses_give_themselves_back(address in any_address()) {
        prop_assert_eq!(address.to_string().parse(), Ok(address.clone()));
        prop_assert_eq!(address.uri().parse(), Ok(address));
    }

    #[test]
    fn links_give_themselves_back(
        seed in any::<[u8; 16]>(),
        at in prop::collection::vec(any_address(), 1..3),
    ) {
        let link = JoinLink { seed, at };
        let short = |address: &NodeAddress| match &address.host {
            Host::Ip(_) => true,
            Host::Name(name) => name.len() <= 38,
        };
        match link.to_text() {
            Ok(text) => {
                prop_assert!((limits::MIN_LINK..=limits::MAX_LINK).contains(&text.len()));
                prop_assert_eq!(text.parse(), Ok(link.clone()));
                prop_assert_eq!(text.to_uppercase().parse(), Ok(link));
            }
            Err(error) => {
                prop_assert_eq!(error, LinkError::Address);
                prop_assert!(!link.at.iter().all(short));
            }
        }
    }

    #[test]
    fn random_payloads_under_a_right_checksum_are_answered(
        content in prop::collection::vec(any::<u8>(), 60..166),
        version in any::<bool>(),
    ) {
        let mut bytes = content;
        if version {
            bytes[0] = 0;
            bytes[1] = 0;
        }
        let checksum = identity::seal::hash(&[b"way:join/", &bytes]);
        bytes.extend_from_slice(&checksum[..4]);
        let mut text = data_encoding::BASE32_NOPAD.encode(&bytes);
        text.make_ascii_lowercase();
        let text = format!("way:join/{text}");
        if let Ok(link) = text.parse::<JoinLink>() {
            prop_assert_eq!(link.to_text(), Ok(text));
        }
    }

    #[test]
    fn any_text_is_answered(text in any::<String>()) {
        let _ = text.parse::<Link>();
        let _ = text.parse::<NodeAddress>();
        let _ = format!("way:join/{text}").parse::<Link>();
        let _ = format!("way:topic/{text}").parse::<Link>();
    }
}
