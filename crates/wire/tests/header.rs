//! Rules of headers, each broken once (more in `vectors/wire.json`, `headers_bad`).

use identity::{Id, Kind, Scheme};
use wire::{Class, Extensions, Header, Manifest, decode_header, limits};

use crate::samples::{NOW, content, control, id, live, unicast};

fn legal(header: Header) -> Header {
    Header {
        body_len: 1,
        ..header
    }
}

fn what(header: &Header) -> &'static str {
    decode_header(&header.encode())
        .expect_err("it breaks a rule")
        .what
}

#[test]
fn the_limits_themselves_are_legal() {
    let largest = [
        Header {
            body_len: 65_536,
            count: 1_024,
            hops: 64,
            ..content()
        },
        Header {
            body_len: 16_384,
            count: 64,
            ..control()
        },
        Header {
            expires: NOW + limits::MAX_LIFESPAN_MS,
            ..legal(content())
        },
        Header {
            expires: NOW + limits::MAX_LIVE_LIFESPAN_MS,
            ..legal(live())
        },
        Header {
            deps: (0..16).map(id).collect(),
            ..legal(content())
        },
        Header {
            number: u64::MAX,
            ..legal(unicast())
        },
        Header {
            number: limits::MAX_NUMBER,
            generation: limits::MAX_NUMBER,
            ..legal(content())
        },
    ];
    for header in largest {
        assert_eq!(decode_header(&header.encode()), Ok(header));
    }
}

#[test]
fn one_more_than_the_limits_is_not() {
    let cases = [
        (
            Header {
                hops: 65,
                ..legal(content())
            },
            "hops",
        ),
        (
            Header {
                expires: NOW + limits::MAX_LIFESPAN_MS + 1,
                ..legal(content())
            },
            "lifespan",
        ),
        (
            Header {
                expires: NOW + limits::MAX_LIVE_LIFESPAN_MS + 1,
                ..legal(live())
            },
            "lifespan",
        ),
        (
            Header {
                expires: NOW,
                ..legal(content())
            },
            "lifespan",
        ),
        (
            Header {
                number: limits::MAX_NUMBER + 1,
                ..legal(content())
            },
            "number",
        ),
        (
            Header {
                generation: limits::MAX_NUMBER + 1,
                ..legal(content())
            },
            "generation",
        ),
        (
            Header {
                created: limits::MAX_TIME_MS + 1,
                ..legal(content())
            },
            "created",
        ),
        (
            Header {
                expires: limits::MAX_TIME_MS + 1,
                ..legal(content())
            },
            "expires",
        ),
        (
            Header {
                generation: u64::MAX,
                number: u64::MAX,
                ..legal(content())
            },
            "number",
        ),
    ];
    for (header, expected) in cases {
        assert_eq!(what(&header), expected);
    }
}

#[test]
fn generations_fit_the_chain() {
    let first = || Header {
        deps: vec![],
        generation: 1,
        ..legal(control())
    };
    assert!(decode_header(&first().encode()).is_ok());
    assert_eq!(
        what(&Header {
            generation: 2,
            ..first()
        }),
        "generation"
    );
    assert_eq!(
        what(&Header {
            deps: vec![id(1)],
            ..first()
        }),
        "generation"
    );
    assert_eq!(
        what(&Header {
            generation: 1,
            ..legal(content())
        }),
        "generation below number"
    );
}

#[test]
fn destinations_that_nothing_can_be_sent_to() {
    for (kind, scheme) in [
        (Kind::Member, Scheme::Hash),
        (Kind::Member, Scheme::Key),
        (Kind::Topic, Scheme::Key),
        (Kind::Node, Scheme::Hash),
        (Kind::Domain, Scheme::Key),
    ] {
        let header = Header {
            destination: Id::new(kind, scheme, [1; 32]),
            ..legal(unicast())
        };
        assert_eq!(what(&header), "nothing can be sent to such an id");
    }
}

#[test]
fn live_and_control_carry_no_blocks_and_live_names_nothing() {
    let manifest = Some(Manifest {
        root: [0; 32],
        count: 1,
        bytes: 1,
    });
    assert_eq!(
        what(&Header {
            manifest,
            ..legal(control())
        }),
        "control with blocks"
    );
    assert_eq!(
        what(&Header {
            manifest,
            ..legal(live())
        }),
        "live with blocks"
    );
    assert_eq!(
        what(&Header {
            deps: vec![id(1)],
            ..legal(live())
        }),
        "live with deps"
    );
}

#[test]
fn extensions_are_kept_and_critical_ones_reported() {
    let extensions = Extensions::from([
        (32, vec![0xf5]),
        (40, vec![0x80]),
        (63, vec![0x00]),
        (65, vec![0xa1, 0x00, 0x01]),
    ]);
    for clock_unconfirmed in [false, true] {
        let header = Header {
            extensions: extensions.clone(),
            clock_unconfirmed,
            ..legal(content())
        };
        let bytes = header.encode();
        let read = decode_header(&bytes).unwrap();
        assert_eq!(read.critical().collect::<Vec<_>>(), [32, 40, 63]);
        assert_eq!(read.encode(), bytes);
        assert_eq!(read, header);
        let plain = legal(content());
        assert_ne!(Header::id_of(&bytes), Header::id_of(&plain.encode()));
    }
    assert_eq!(legal(content()).critical().count(), 0);
}

#[test]
fn reserved_fields_and_too_many_extensions_are_refused() {
    let with = |extensions: Extensions| Header {
        extensions,
        ..legal(content())
    };
    for key in [16, 31] {
        assert_eq!(
            what(&with(Extensions::from([(key, vec![0])]))),
            "a reserved field"
        );
    }
    let many = (100..117).map(|key| (key, vec![0])).collect();
    assert_eq!(what(&with(many)), "too many extensions");
    let mut long = vec![0x59, 0x04, 0x01];
    long.resize(3 + 1_025, 0);
    assert_eq!(
        what(&with(Extensions::from([(70, long)]))),
        "too many extensions"
    );
    let far = Extensions::from([(limits::MAX_EXTENSION_KEY + 1, vec![0])]);
    assert_eq!(what(&with(far)), "an unknown field");
}

#[test]
fn an_unconfirmed_clock_is_said_by_true_alone() {
    let mut bytes = Header {
        clock_unconfirmed: true,
        ..legal(content())
    }
    .encode();
    assert_eq!(bytes.pop(), Some(0xf5));
    for other in [0xf4, 0xf6, 0x00] {
        bytes.push(other);
        assert!(decode_header(&bytes).is_err());
        bytes.pop();
    }
}

#[test]
fn another_format_is_refused_by_name() {
    let mut bytes = legal(content()).encode();
    assert_eq!(bytes[1..3], [0, 0]);
    bytes[2] = 1;
    let error = decode_header(&bytes).unwrap_err();
    assert_eq!((error.at, error.what), (2, "another format"));
}

#[test]
fn sealing_binds_all_but_the_body_fields() {
    let header = legal(content());
    let other = Header {
        body_len: 9,
        body_hash: [9; 32],
        ..header.clone()
    };
    assert_eq!(header.encode_without_body(), other.encode_without_body());
    let other = Header {
        count: 1,
        ..header.clone()
    };
    assert_ne!(header.encode_without_body(), other.encode_without_body());
    assert_ne!(header.encode_without_body(), header.encode());
}

#[test]
fn a_header_is_at_most_two_kib() {
    let header = Header {
        deps: (0..16).map(id).collect(),
        manifest: Some(Manifest {
            root: [0xff; 32],
            count: u32::MAX,
            bytes: 1 << 48,
        }),
        clock_unconfirmed: true,
        extensions: (0..16)
            .map(|n| (65_000 + n, [&[0x58, 62][..], &[0; 62]].concat()))
            .collect(),
        number: limits::MAX_NUMBER,
        generation: limits::MAX_NUMBER,
        class: Class::Content,
        ..legal(content())
    };
    let bytes = header.encode();
    assert!(bytes.len() <= limits::MAX_HEADER, "{}", bytes.len());
    assert_eq!(decode_header(&bytes), Ok(header));
    assert!(decode_header(&vec![0; limits::MAX_HEADER + 1]).is_err());
}
