//! `vectors/*.json` are what the generator makes, and every byte string in them does what it says.

use data_encoding::HEXLOWER;
use identity::{OperatorTag, Signature};
use serde_json::Value;
use wire::plain::{BoxContents, CoreList, Profile, Title, decode_messages};
use wire::{
    Frame, Genesis, Item, Link, Raw, RawStatement, Role, SharedFile, Ticket, cbor, check,
    check_advert, check_mail_receipt, check_receipt, decode_header,
};

use crate::{identity_vectors, samples, wire_vectors};

fn file(name: &str) -> String {
    let path = format!("{}/../../vectors/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).unwrap()
}

fn vectors() -> Value {
    serde_json::from_str(&file("wire.json")).unwrap()
}

fn bytes(value: &Value) -> Vec<u8> {
    HEXLOWER.decode(value.as_str().unwrap().as_bytes()).unwrap()
}

fn each<'v>(all: &'v Value, name: &str) -> impl Iterator<Item = &'v Value> {
    let list = all[name].as_array().unwrap();
    assert!(!list.is_empty(), "{name}");
    list.iter()
}

fn error(vector: &Value) -> (usize, &str) {
    (
        vector["at"].as_u64().unwrap() as usize,
        vector["what"].as_str().unwrap(),
    )
}

#[test]
fn the_files_are_what_the_generator_makes() {
    let say = "run `cargo run -p wire --example vectors` and look at what changed";
    assert!(
        file("wire.json") == wire_vectors::make(),
        "wire.json: {say}"
    );
    assert!(
        file("identity.json") == identity_vectors::make(),
        "identity.json: {say}"
    );
}

#[test]
fn cbor_is_accepted_or_refused_where_it_says() {
    let all = vectors();
    for vector in each(&all, "cbor_good") {
        assert_eq!(cbor::validate(&bytes(vector)), Ok(()), "{vector}");
    }
    for vector in each(&all, "cbor_bad") {
        let found = cbor::validate(&bytes(&vector["bytes"])).unwrap_err();
        assert_eq!((found.at, found.what), error(vector), "{vector}");
    }
}

#[test]
fn envelopes_pass_and_have_their_ids() {
    let all = vectors();
    for vector in each(&all, "envelopes") {
        let raw = Raw {
            header_bytes: bytes(&vector["header"]),
            proof: Signature::from_bytes(bytes(&vector["proof"]).try_into().unwrap()),
            body: Some(bytes(&vector["body"])),
        };
        let verified = check(raw).unwrap().into_inner();
        assert_eq!(
            verified.envelope.id.to_string(),
            vector["id"].as_str().unwrap()
        );
        let without = verified.envelope.header.encode_without_body();
        assert_eq!(without, bytes(&vector["without_body"]));
        let critical: Vec<Value> = verified
            .envelope
            .header
            .critical()
            .map(Value::from)
            .collect();
        assert_eq!(&Value::from(critical), &vector["critical"]);
    }
    for vector in each(&all, "headers_bad") {
        let found = decode_header(&bytes(&vector["header"])).unwrap_err();
        assert_eq!((found.at, found.what), error(vector), "{vector}");
    }
}

#[test]
fn items_genesis_statements_and_frames_are_read() {
    let all = vectors();
    for vector in each(&all, "items") {
        let item = Item::decode(&bytes(&vector["bytes"])).unwrap();
        assert_eq!(u64::from(item.kind()), vector["kind"].as_u64().unwrap());
        assert_eq!(item.id().to_string(), vector["id"].as_str().unwrap());
    }
    for vector in each(&all, "items_bad") {
        let found = Item::decode(&bytes(&vector["bytes"])).unwrap_err();
        assert_eq!((found.at, found.what), error(vector), "{vector}");
    }
    for name in ["genesis", "genesis_of_several"] {
        let vector = &all[name];
        let genesis = Genesis::decode(&bytes(&vector["bytes"])).unwrap();
        let topic = genesis.topic_id().to_string();
        assert_eq!(topic, vector["topic"].as_str().unwrap());
        let root = genesis.root.member().to_string();
        assert_eq!(root, vector["root"].as_str().unwrap());
        let epoch = genesis.epoch.id().to_string();
        assert_eq!(epoch, vector["epoch"].as_str().unwrap());
    }
    for vector in each(&all, "statements") {
        let raw = RawStatement {
            bytes: bytes(&vector["bytes"]),
            signature: Signature::from_bytes(bytes(&vector["signature"]).try_into().unwrap()),
        };
        let passed = match vector["name"].as_str().unwrap() {
            "advert" => check_advert(raw).is_ok(),
            "mail receipt" | "mail receipt of an operator" => check_mail_receipt(raw).is_ok(),
            _ => check_receipt(raw).is_ok(),
        };
        assert!(passed, "{vector}");
    }
    for vector in each(&all, "operators") {
        let tag = OperatorTag::of(vector["text"].as_str().unwrap());
        assert_eq!(tag.to_string(), vector["tag"].as_str().unwrap());
    }
    for vector in each(&all, "frames") {
        let frame = Frame::decode(&bytes(&vector["bytes"])).unwrap();
        assert_eq!(u64::from(frame.kind()), vector["type"].as_u64().unwrap());
    }
    let ticket = Ticket::decode(&bytes(&all["ticket"])).unwrap();
    assert_eq!(ticket.verify(), Ok(()));
}

#[test]
fn acts_and_joint_items_are_signed() {
    let all = vectors();
    for vector in each(&all, "acts") {
        let Item::Act(act) = Item::decode(&bytes(&vector["bytes"])).unwrap() else {
            panic!("no act: {vector}");
        };
        let topic = vector["topic"].as_str().unwrap().parse().unwrap();
        assert_eq!(act.verify(topic), Ok(()));
        assert_eq!(act.id().to_string(), vector["act"].as_str().unwrap());
        let composition = act.composition.to_string();
        assert_eq!(composition, vector["composition"].as_str().unwrap());
        for (role, name) in [(Role::Signer, "signers"), (Role::New, "new")] {
            let listed = each(vector, name).map(|key| key.as_str().unwrap().to_owned());
            let signers = act.signers(role);
            assert!(signers.iter().map(ToString::to_string).eq(listed));
        }
    }
    for vector in each(&all, "joint") {
        for name in ["bytes", "fewer"] {
            let item = Item::decode(&bytes(&vector[name])).unwrap();
            let topic = vector["topic"].as_str().unwrap().parse().unwrap();
            assert_eq!(item.joint().unwrap().verify(topic, &item.id()), Ok(()));
            assert_eq!(item.id().to_string(), vector["id"].as_str().unwrap());
        }
    }
}

#[test]
fn plaintexts_and_links_are_read() {
    let all = vectors();
    let plain = &all["plain"];
    assert_eq!(
        decode_messages(&bytes(&plain["messages"])),
        Ok(samples::messages())
    );
    assert_eq!(
        Profile::decode(&bytes(&plain["profile"])),
        Ok(samples::profile())
    );
    assert_eq!(
        CoreList::decode(&bytes(&plain["cores"])),
        Ok(samples::core_list())
    );
    assert_eq!(Title::decode(&bytes(&plain["title"])), Ok(samples::title()));
    let file = bytes(&plain["file"]);
    assert_eq!(SharedFile::decode(&file), Ok(samples::shared_file()));
    for cut in 0..file.len() {
        assert!(SharedFile::decode(&file[..cut]).is_err(), "cut at {cut}");
    }
    let larger = SharedFile {
        size: 20_004_501,
        ..samples::shared_file()
    };
    assert!(
        SharedFile::decode(&larger.encode()).is_err(),
        "more than there is"
    );
    let turned = SharedFile {
        name: "a\u{202e}fdp.exe".to_owned(),
        ..samples::shared_file()
    };
    assert!(
        SharedFile::decode(&turned.encode()).is_err(),
        "a name that turns round"
    );
    assert_eq!(
        BoxContents::decode(&bytes(&plain["box"])),
        Ok(samples::box_contents())
    );
    let links = &all["links"];
    let join = links["join"].as_str().unwrap().parse();
    assert_eq!(join, Ok(Link::Join(samples::join_link())));
    let topic = links["topic"].as_str().unwrap().parse();
    assert_eq!(topic, Ok(Link::Topic(samples::topic_link())));
    let core = links["core"].as_str().unwrap().parse();
    assert_eq!(core, Ok(Link::Core(samples::core_link())));
}
