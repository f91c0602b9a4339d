//! Numbers and addresses of people.

use crate::{check, only};
use hanok_guard::{Pii, Redactor};

fn all_of(kind: Pii, name: &str, found: &[&str], stay: &[&str]) {
    let redactor = only(kind);
    for text in found {
        for (before, after) in
            [("", ""), ("a ", " b"), ("번호", "입니다"), ("(", ")"), ("\"", "\","), ("", ".")]
        {
            check(&redactor, &format!("{before}{text}{after}"), &format!("{before}[{name}]{after}"));
        }
    }
    for text in stay {
        check(&redactor, text, text);
    }
}

#[test]
fn mail() {
    all_of(
        Pii::Email,
        "email",
        &["alice@example.com", "a.b+c@mail.example.co.kr", "ALICE_1@EXAMPLE.ORG", "x@y.io"],
        &[
            "@decorator",
            "user@localhost",
            "left-pad@1.3.0",
            "logo@2x.png",
            "a@b.c",
            "a..b@example.com",
            "alice@-example.com",
            "alice @ example.com",
            "@",
            "a@",
        ],
    );
    check(&only(Pii::Email), "to:<alice@example.com>;", "to:<[email]>;");
    check(&only(Pii::Email), "mailto:alice@example.com?x", "mailto:[email]?x");
}

#[test]
fn phones_of_korea() {
    all_of(
        Pii::PhoneKr,
        "phone",
        &[
            "010-1234-5678".replace("1234", "2234").as_str(),
            "01022345678",
            "010 2234 5678",
            "010.2234.5678",
            "011-234-5678",
            "02-345-6789",
            "02-3456-7890",
            "031-234-5678",
            "070-2345-6789",
            "+82 10-2234-5678",
            "+82-2-3456-7890",
            "+821022345678",
            "0505-234-5678",
        ],
        &[
            "012-2234-5678",
            "010-2234-567",
            "010-2234-56789",
            "010-0234-5678",
            "01022345678901",
            "2010-2234-5678",
            "0212345678",
            "035-234-5678",
            "2026-11-20",
            "1.010-2234-5678",
            "v010-2234-5678-beta",
            "0.0102234567",
        ],
    );
}

#[test]
fn phones_of_the_world() {
    all_of(
        Pii::Phone,
        "phone",
        &["+1 415-555-2671", "+14155552671", "+44 20 7946 0958", "+49 (30) 901820"],
        &["+1 415", "1+2", "+0 123 456 789", "a+14155552671234567890", "3+14155552671", "+1234567890123456"],
    );
}

#[test]
fn residents_of_korea() {
    all_of(
        Pii::RrnKr,
        "resident-number",
        // Check digits by the published rule; the last was born after the check digit was given up.
        &["900101-1234568", "9001011234568", "000229-3123454", "850615-5123456", "201105-3999999"],
        &[
            "900101-1234567",
            "901301-1234568",
            "900230-1234568",
            "010229-3123451",
            "2011053999999",
            "900101-12345678",
            "1900101-1234568",
            "900101-1234568-1",
        ],
    );
}

#[test]
fn cards() {
    all_of(
        Pii::Card,
        "card",
        &[
            "4111111111111111",
            "4111 1111 1111 1111",
            "4111-1111-1111-1111",
            "5555555555554444",
            "378282246310005",
            "3782 822463 10005",
            "2223003122003222",
            "6011111111111117",
            "30569309025904",
        ],
        &[
            "4111111111111112",
            "4111 1111-1111 1111",
            "41111111111111111",
            "1111111111111117",
            "0000000000000000",
            "1763634427000000000",
            "a4111111111111111",
            "4111111111111111a",
        ],
    );
}

#[test]
fn accounts() {
    all_of(
        Pii::Iban,
        "iban",
        &["DE89370400440532013000", "GB29 NWBK 6016 1331 9268 19", "FR1420041010050500013M02606"],
        &["DE89370400440532013001", "DE8937040044053201300", "XX89370400440532013000", "GB29 NWBK 6016"],
    );
}

#[test]
fn numbers_of_the_united_states() {
    all_of(
        Pii::SsnUs,
        "ssn",
        &["123-45-6789", "001-01-0001"],
        &[
            "000-12-3456",
            "666-12-3456",
            "900-12-3456",
            "123-00-6789",
            "123-45-0000",
            "078-05-1120",
            "123456789",
        ],
    );
}

#[test]
fn businesses_of_korea() {
    all_of(
        Pii::BrnKr,
        "business-number",
        &["124-81-00998", "120-81-47521"],
        &["124-81-00999", "000-00-00000", "124-81-0099", "1248100998"],
    );
}

#[test]
fn papers_of_korea() {
    all_of(
        Pii::PassportKr,
        "passport",
        &["M12345678", "M123A4567"],
        &["M1234567", "A12345678", "M123a4567", "XM12345678"],
    );
    all_of(
        Pii::DriverKr,
        "driver-licence",
        &["11-12-345678-90"],
        &["29-12-345678-90", "11-12-34567-90", "10-12-345678-90"],
    );
}

#[test]
fn two_at_once() {
    let redactor = Redactor::new(true, Pii::ALL);
    check(
        &redactor,
        "call 010-2234-5678 02-345-6789, or alice@example.com; AKIAIOSFODNN7EXAMPLE",
        "call [phone] [phone], or [email]; [secret:aws-key-id]",
    );
    check(
        &redactor,
        "postgres://alice:pw12@db.example.com",
        "postgres://alice:[secret:password]@db.example.com",
    );
}

#[test]
fn names_round_trip() {
    for kind in Pii::ALL {
        assert_eq!(Pii::parse(kind.as_str()), Some(kind));
    }
    assert_eq!(Pii::parse("name"), None);
}
