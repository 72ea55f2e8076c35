//! Unsafe habits of clients, told when they are asked for and at the end of a strict cluster.
//! Shell.

use serde_json::{Value as Json, json};

use crate::client::{Client, PRODUCE_VERSION, http, produce, told, with_lab};

#[test]
fn an_unsafe_habit_is_told_and_fails_the_end_of_a_strict_cluster() {
    with_lab(|created| {
        let at = created.bootstrap.as_str();
        let make = |name: &str| {
            let (status, made) =
                http(at, "POST", "/clusters", Some(json!({ "name": name, "topics": ["a"] })));
            assert_eq!(status, 201, "{made}");
            made["bootstrap"].as_str().expect("an address").to_owned()
        };
        for name in ["lax", "strict"] {
            let there = make(name);
            assert_eq!(http(&there, "GET", "/lint", None).1, json!({ "strict": false, "findings": [] }));
            let (status, bad) = http(&there, "PUT", "/lint", Some(json!({ "strict": "very" })));
            assert_eq!((status, &bad["error"]["field"]), (400, &json!("strict")));
            assert_eq!(http(&there, "PUT", "/lint", Some(json!({ "strict": name == "strict" }))).0, 200);
            let mut request = produce(&["a"]);
            request.acks = 1;
            assert_eq!(told(Client::at(&there).ask(PRODUCE_VERSION, &request))[0].1, 0);
            let (_, lint) = http(&there, "GET", "/lint", None);
            let found: Vec<(&Json, &Json)> = lint["findings"]
                .as_array()
                .expect("a list")
                .iter()
                .map(|one| (&one["habit"], &one["client_id"]))
                .collect();
            assert_eq!(found, [(&json!("acks-leader"), &json!("app"))], "{lint}");
            let (status, gone) = http(at, "DELETE", &format!("/clusters/{name}"), None);
            let expected = if name == "strict" { 409 } else { 200 };
            assert_eq!((status, gone["findings"].is_array()), (expected, name == "strict"), "{gone}");
            assert_eq!(http(at, "GET", &format!("/clusters/{name}"), None).0, 404);
        }
    });
}
