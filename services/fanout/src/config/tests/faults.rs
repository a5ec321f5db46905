//! What a configuration file may not say, and what is told of it.

use super::*;

pub(super) fn told(text: &str) -> Vec<String> {
    match parse(text) {
        Ok(_) => Vec::new(),
        Err(faults) => faults.iter().map(ToString::to_string).collect(),
    }
}

/// What is replaced in a sound file, by what, and the fault expected of it.
#[rustfmt::skip]
const CASES: &[(&str, &str, &str)] = &[
    ("\"127.0.0.1:8080\"", "\"localhost\"", "3:10: `listen` is not an address: \"localhost\" (an IP address and a port, for instance 127.0.0.1:8080)"),
    ("\"127.0.0.1:8080\"", "8080", "3:10: `listen` of [node] must be a string, not an integer"),
    ("\"127.0.0.1:9090\"", "\"127.0.0.1:8080\"", "4:1: is the same address as `listen`"),
    ("data = \"data\"", "", "2:1: [node] needs the key `data`"),
    ("data = \"data\"", "data = \"data\"\nmax_conections = 5", "6:1: [node] has no key `max_conections` (did you mean `max_connections`?)"),
    ("data = \"data\"", "data = \"data\"\nadvertise = \"10.0.0.7\"", "6:13: `advertise` has no port: \"10.0.0.7\" (a name or address of this node that other nodes reach"),
    ("data = \"data\"", "data = \"data\"\nadvertise = \"0.0.0.0:9090\"", "6:13: `advertise` is no address that others reach: \"0.0.0.0:9090\""),
    ("data = \"data\"", "data = \"data\"\nadvertise_hubs = \"0.0.0.0:8080\"", "6:18: `advertise_hubs` is no address that others reach: \"0.0.0.0:8080\""),
    ("data = \"data\"", "data = \"data\"\nadvertise = \"::1:9090\"", "6:13: `advertise` is not a host and a port: \"::1:9090\""),
    ("data = \"data\"", "data = \"data\"\nadvertise = \"ftp://node-1:9090\"", "6:13: `advertise` is not a host and a port"),
    ("data = \"data\"", "data = \"data\"\nmax_connections = 0", "6:19: `max_connections` of [node] is 0 (it must be 1 to 1000000; left out, it is what the limit of open files leaves)"),
    ("data = \"data\"", "data = \"data\"\ntrusted_proxies = [\"10.0.0.0/40\"]", "6:20: `trusted_proxies`: not an IP address or network: \"10.0.0.0/40\" (an address such as 10.0.0.7, or a network such as 10.0.0.0/8)"),
    ("data = \"data\"", "data = \"data\"\nhosts = [\"https://app.example.com\"]", "6:10: not a host: \"https://app.example.com\" (as it stands in the page's URL: a host, and a port unless it is the scheme's own, for instance app.example.com)"),
    ("[development]", "[limits]\nconnections_per_address = 5\n[development]", "11:1: `connections_per_address` needs `trusted_proxies` of [node] (list the proxies"),
    ("[development]", "[page]\npath = \"dist\"\ndemo = true\n[development]", "`path`, so the demo page is not served"),
    ("[development]", "[page]\n[development]", "[page] needs the key `path`"),
    ("[development]", "[page]\ndemos = false\n[development]", "[page] has no key `demos` (did you mean `demo`?)"),
    ("[development]", "[schemas]\n[development]", "[schemas] needs the key `path`"),
    ("[development]", "[schemas]\ndemo = 1\n[development]", "`demo` of [schemas] must be true or false, not an integer"),
    ("data = \"data\"", "data = \"data\"\ndrain_seconds = -1", "`drain_seconds` of [node] is -1 (it must be 0 to 300; the default is 5)"),
    ("data = \"data\"", "data = \"data\"\ndrain_seconds = \"5\"", "`drain_seconds` of [node] must be an integer, not a string"),
    ("data = \"data\"", "data = \"data\"\nsecret = \"short\"", "6:1: the secret has 5 bytes and needs at least 32"),
    ("data = \"data\"", "data = \"data\"\nsecret_file = \"nowhere\"", "6:15: `secret_file` cannot be read: "),
    ("data = \"data\"", "data = \"data\"\nsecret = \"a\"\nsecret_file = \"b\"", "`secret` and `secret_file` exclude each other"),
    ("data = \"data\"", "data = \"data\"\nprevious_secret = \"0123456789abcdef0123456789abcdef\"", "there is a previous secret but no `secret`"),
    ("[node]", "[nodes]", "2:2: the file has no key `nodes` (did you mean `node`?)"),
    ("[node]", "[nodes]", "the section [node] is missing"),
    ("\"embedded:log\"", "\"embeded:log\"", "there is no broker `embeded` (did you mean `embedded`?)"),
    ("\"embedded:log\"", "\"embedded:\"", "the embedded broker needs a folder"),
    ("\"embedded:log\"", "\"embedded:log\"\nwindow_minutes = 90\nretention_hours = 1", "8:1: the replay window of 90 minutes is longer than the 1 hours that events are kept"),
    ("path = \".\"", "path = \"nowhere\"", "/nowhere does not exist"),
    ("[development]", "[page]\npath = \"/etc/hostname\"\n[development]", "11:8: /etc/hostname is a file (the folder that holds index.html)"),
    ("[development]", "[page]\nfolder = \"dist\"\n[development]", "[page] has no key `folder`"),
    ("path = \".\"", "pth = \".\"", "[routes] has no key `pth` (did you mean `path`?)"),
    ("[development]", "[[issuer]]\nissuer = \"i\"\n[development]", "10:1: [[issuer]] needs one of `jwks`, `discovery` and `jwks_file`"),
    ("[development]", "[[issuer]]\nissuer = \"i\"\njwks = \"a/b\"\n[development]", "12:8: `jwks` is not an http or https URL: \"a/b\""),
    ("[development]", "[[issuer]]\nissuer = \"i\"\njwks = \"http://a\"\ndiscovery = \"http://a\"\n[development]", "needs one of `jwks`, `discovery` and `jwks_file`"),
    ("[development]", "[[issuer]]\nissuer = \"i\"\njwks_file = \"nowhere\"\n[development]", "`jwks_file` is not a file of keys: "),
    ("[development]", "[[issuer]]\nissuer = \"i\"\njwks = \"http://a\"\naudience = \"fanfare-publish\"\n[development]", "`audience` and `producer_audience` must differ"),
    ("[development]", "[[issuer]]\nissuer = \"i\"\njwks = \"http://a\"\npublish = [\"license\"]\n[development]", "13:12: not a pattern of the form"),
    ("[development]", "[[issuer]]\nissuer = \"i\"\njwks = \"http://a\"\nclaims = { usr = \"x\" }\n[development]", "`claims` has no key `usr`, and no hub names {claim.usr} (did you mean `user`?)"),
    ("[development]", "[[issuer]]\nissuer = \"i\"\njwks = \"http://a\"\n[[issuer]]\nissuer = \"i\"\njwks = \"http://a\"\n[development]", "14:1: the issuer i is listed twice"),
    ("[development]", "[[issuer]]\nissuer = \"fanfare-development\"\njwks = \"http://a\"\n[development]", "`fanfare-development` is the development key's"),
    ("[development]", "[[issuer]]\nissuer = \"a\"\njwks = \"http://a\"\n[development]", "10:1: [[issuer]] a does not say whether it issues tokens of users (write users = true, or users = false if"),
    ("[development]", "[[issuer]]\nissuer = \"a\"\njwks = \"http://a\"\nusers = true\n[[issuer]]\nissuer = \"b\"\njwks = \"http://b\"\nusers = true\norgs = [\"acme\"]\nroles = [\"*\"]\n[development]", "10:1: [[issuer]] a is one of several issuers of users and says no `realm`: users of two issuers are two users, even with the same id (write realm = \"partner\""),
    ("[development]", "[[issuer]]\nissuer = \"a\"\njwks = \"http://a\"\nusers = true\nrealm = \"a\"\norgs = [\"*\"]\n[[issuer]]\nissuer = \"b\"\njwks = \"http://b\"\nusers = true\nrealm = \"b\"\nroles = [\"*\"]\n[development]", "10:1: [[issuer]] a is one of several issuers of users and says no `roles`: its tokens could name any role (write roles = "),
    ("[development]", "[[issuer]]\nissuer = \"a\"\njwks = \"http://a\"\nusers = true\nrealm = \"a\"\norgs = [\"*\"]\n[[issuer]]\nissuer = \"b\"\njwks = \"http://b\"\nusers = true\nrealm = \"b\"\nroles = [\"*\"]\n[development]", "16:1: [[issuer]] b is one of several issuers of users and says no `orgs`: its tokens could name any org (write orgs = "),
    ("[development]", "[[issuer]]\nissuer = \"a\"\njwks = \"http://a\"\nusers = true\norgs = []\n[development]", "14:1: `orgs` lists nothing, so no token could name any"),
    ("[development]", "[[issuer]]\nissuer = \"a\"\njwks = \"http://a\"\nusers = true\nroles = [\"a\\nb\"]\n[development]", "is no name: it has printable characters only"),
    ("[development]", "[[issuer]]\nissuer = \"https://a/{tenantid}/v2.0\"\njwks = \"http://a\"\nusers = true\n[development]", "the issuer is a pattern, and no tenants are listed (write tenants = "),
    ("[development]", "[[issuer]]\nissuer = \"https://a\"\ntenants = [\"t\"]\njwks = \"http://a\"\nusers = true\n[development]", "the issuer has no name in braces that tenants stand for"),
    ("[development]", "[[issuer]]\nissuer = \"https://a/{tenantid}/v2.0\"\ntenants = [\"t/x\"]\njwks = \"http://a\"\nusers = true\n[development]", "\"t/x\" is not a tenant"),
    ("[development]", "[[issuer]]\nissuer = \"a\"\njwks = \"http://a\"\nusers = true\nclaims = { roles = \"a..b\" }\n[development]", "\"a..b\" is not the name of a claim: a part of the name is empty"),
    ("[development]", "[[issuer]]\nissuer = \"a\"\njwks = \"http://a\"\nusers = true\nclaims = { user = { claim = \"sub\", list = \"words\" } }\n[development]", "`user` is one id and no list"),
    ("[development]", "[[issuer]]\nissuer = \"a\"\njwks = \"http://a\"\nusers = true\nclaims = { roles = { claim = \"scp\", list = \"commas\" } }\n[development]", "there is no list \"commas\" (`words` for a text of several"),
    ("[hub.\"/hubs/a\"]", "[hub.\"/hubs/a\"]\nrequire_roles = [\"operator\"]\n[[issuer]]\nissuer = \"a\"\njwks = \"http://a\"\nusers = true\nroles = [\"reader\"]", "12:6: nobody could connect to /hubs/a: no token can carry \"operator\" (add \"operator\" to `roles` of the [[issuer]] that gives it)"),
    ("[hub.\"/hubs/a\"]", "[hub.\"/hubs/a\"]\nrequire_roles = [\"superadmin\"]\n[[issuer]]\nissuer = \"a\"\njwks = \"http://a\"\nusers = true\nroles = [\"*\"]", "no token can carry \"superadmin\""),
    ("[hub.\"/hubs/a\"]", "[hub.\"/hubs/a\"]\nrequire_roles = [\"a\\nb\"]", "is no role: it has printable characters only"),
    ("signing_key = \"key.pem\"", "", "[development] needs the key `signing_key`"),
    ("[development]\nsigning_key = \"key.pem\"", "", "/hubs/a needs a token, but no issuer of users is trusted"),
    ("[hub.\"/hubs/a\"]", "", "no hub is declared"),
    ("[hub.\"/hubs/a\"]", "[hub.\"hubs/a\"]", "12:6: `hubs/a` is not a path"),
    ("[hub.\"/hubs/a\"]", "[hub.\"/events\"]", "a hub cannot live at `/events`"),
    ("[hub.\"/hubs/a\"]", "[hub.\"/hubs/a\"]\njoin = [\"list:{list}\"]", "13:9: a join rule knows no `{list}` (known: user, session, org, role, realm, claim.NAME)"),
    ("[hub.\"/hubs/a\"]", "[hub.\"/hubs/a\"]\njoin = [\"org:{org\"]", "a `{` has no partner"),
    ("[hub.\"/hubs/a\"]", "[hub.\"/hubs/a\"]\njoin = [7]", "a join rule is a group template"),
    ("[hub.\"/hubs/a\"]", "[hub.\"/hubs/a\"]\njoin = [{ group = \"admin\", role = [] }]", "a join rule has no key `role` (did you mean `roles`?)"),
    ("[hub.\"/hubs/a\"]", "[hub.\"/hubs/a\"]\njoin = [{ group = \"admin\", roles = [] }]", "nobody would join"),
    ("[hub.\"/hubs/a\"]", "[hub.\"/hubs/a\"]\npublic = true\nrequire_roles = [\"admin\"]", "a public hub cannot require roles"),
    ("[hub.\"/hubs/a\"]", "[hub.\"/hubs/a\"]\npublic = true\nrequire_claims = { plan = \"pro\" }", "a public hub cannot require claims"),
    ("[hub.\"/hubs/a\"]", "[hub.\"/hubs/a\"]\nrequire_claims = {}", "no claim: everybody would meet it (for instance require_claims = { subscription = \"active\" })"),
    ("[hub.\"/hubs/a\"]", "[hub.\"/hubs/a\"]\nrequire_claims = { plan = [] }", "`plan` has no value that a claim could have"),
    ("[hub.\"/hubs/a\"]", "[hub.\"/hubs/a\"]\nrequire_claims = { plan = 1.5 }", "13:27: a claim is compared with a text, a whole number, true or false"),
    ("[hub.\"/hubs/a\"]", "[hub.\"/hubs/a\"]\nrequire_claims = { \"a..b\" = \"x\" }\n[[issuer]]\nissuer = \"a\"\njwks = \"http://a\"\nusers = true\n", "\"a..b\" is not the name of a claim: a part of the name is empty"),
    ("[hub.\"/hubs/a\"]", "[hub.\"/hubs/a\"]\nrequire_claims = { scope = \"read write\" }\n[[issuer]]\nissuer = \"a\"\njwks = \"http://a\"\nusers = true\nclaims = { scope = { claim = \"scp\", list = \"words\" } }", "no word of `scope` can be \"read write\" (require one of the words"),
    ("[hub.\"/hubs/a\"]", "[hub.\"/hubs/a\"]\nrequire_claims = { iss = \"https://b\" }\n[[issuer]]\nissuer = \"a\"\njwks = \"http://a\"\nusers = true\n", "no token that is trusted is issued by \"https://b\" (the issuer of users is \"a\")"),
    ("[hub.\"/hubs/a\"]", "[hub.\"/hubs/a\"]\nrequire_claims = { tenant = \"acme\" }\n[[issuer]]\nissuer = \"a\"\njwks = \"http://a\"\nusers = true\norgs = [\"globex\"]\nclaims = { org = \"tenant\" }", "no token may name the org \"acme\" (add \"acme\" to `orgs`"),
    ("[hub.\"/hubs/a\"]", "[hub.\"/hubs/a\"]\nrequire_claim = { plan = 1 }", "did you mean `require_claims`?"),
    ("[hub.\"/hubs/a\"]", "[hub.\"/hubs/a\"]\n[cors]\norigins = [\"*\"]", "not an origin: \"*\" (scheme, host and port alone"),
    ("[hub.\"/hubs/a\"]", "[hub.\"/hubs/a\"]\n[cors]\norigins = [\"https://*.com\"]", "14:12: not an origin: \"https://*.com\" (a `*.` stands before a domain of at least two names"),
    ("[hub.\"/hubs/a\"]", "[hub.\"/hubs/a\"]\n[cors]\nheaders = [\"x tenant\"]", "14:12: \"x tenant\" is not the name of a header"),
    ("[hub.\"/hubs/a\"]", "[hub.\"/hubs/a\"]\ncookie = \"a b\"", "13:10: \"a b\" is not the name of a cookie (for instance "),
    ("[hub.\"/hubs/a\"]", "[hub.\"/hubs/a\"]\n[cors]\norigins = [\"https://a.example/\"]", "14:12: not an origin"),
    ("[hub.\"/hubs/a\"]", "[hub.\"/hubs/a\"]\n[limits]\nkeepalive_seconds = 30", "`client_timeout_seconds` must be longer than `keepalive_seconds`"),
    ("[hub.\"/hubs/a\"]", "[hub.\"/hubs/a\"]\nkeepalive_seconds = 60", "13:1: `client_timeout_seconds` must be longer than `keepalive_seconds`, and they are 30 and 60 (twice as long"),
    ("[hub.\"/hubs/a\"]", "[hub.\"/hubs/a\"]\nkeepalive = 60", "[hub.\"/hubs/a\"] has no key `keepalive` (did you mean `keepalive_seconds`?)"),
    ("[hub.\"/hubs/a\"]", "[hub.\"/hubs/a\"]\nmessage_bytes = 5", "13:17: `message_bytes` of [hub.\"/hubs/a\"] is 5 (it must be 1024 to 1048576; the default is 32768)"),
    ("[hub.\"/hubs/a\"]", "[hub.\"/hubs/a\"]\n[health]\npath = \"health\"", "14:8: `health` is not a path (for instance path = \"/health\")"),
    ("[hub.\"/hubs/a\"]", "[hub.\"/hubs/a\"]\n[health]\npath = \"/hubs/A\"", "14:8: `/hubs/A` is a path of the hub /hubs/a (for instance path = \"/health\")"),
    ("[hub.\"/hubs/a\"]", "[hub.\"/health\"]\n[health]\npath = \"/health\"", "14:8: `/health` is a path of the hub /health (for instance path = \"/ready\")"),
    ("[hub.\"/hubs/a\"]", "[hub.\"/hubs/a\"]\n[limits]\nqueue_bytes = 16384", "`queue_bytes` must be at least twice `event_bytes` (262144 or more; with less, connections that wait for one large notification have no room for a second and read it again from the log)"),
    ("[hub.\"/hubs/a\"]", "[hub.\"/hubs/a\"]\n[limits]\nmessage_byte = 1", "[limits] has no key `message_byte` (did you mean `message_bytes`?)"),
    ("[hub.\"/hubs/a\"]", "[hub.\"/hubs/a\"]\n[limits]\nretained_bytes = 7", "`retained_bytes`"),
    ("[hub.\"/hubs/a\"]", "[hub.\"/hubs/a\"]\n[schema_registry]\ntimeout_seconds = 5", "[schema_registry] needs the key `url`"),
    ("[hub.\"/hubs/a\"]", "[hub.\"/hubs/a\"]\n[schema_registry]\nurl = \"schemas:8081\"", "`url` is not an http or https URL"),
    ("[hub.\"/hubs/a\"]", "[hub.\"/hubs/a\"]\n[schema_registry]\nurl = \"https://\"", "14:7: `url` is not a URL: empty host"),
    ("[hub.\"/hubs/a\"]", "[hub.\"/hubs/a\"]\n[schema_registry]\nurl = \"https://node:secret@schemas\"", "`url` holds a user or a password (use the keys `user` and `password_file`)"),
    ("[hub.\"/hubs/a\"]", "[hub.\"/hubs/a\"]\n[schema_registry]\nurl = \"https://schemas?x=1\"", "`url` has more than scheme, host, port and path"),
    ("[hub.\"/hubs/a\"]", "[hub.\"/hubs/a\"]\n[schema_registry]\nurl = \"https://schemas\"\npassword = \"secret\"", "`password`: secrets do not stand in this file"),
    ("[hub.\"/hubs/a\"]", "[hub.\"/hubs/a\"]\n[schema_registry]\nurl = \"https://schemas\"\nuser = \"node\"", "there is a `user` but no `password_file`"),
    ("[hub.\"/hubs/a\"]", "[hub.\"/hubs/a\"]\n[schema_registry]\nurl = \"https://schemas\"\npassword_file = \"p\"", "there is a `password_file` but no `user`"),
    ("[hub.\"/hubs/a\"]", "[hub.\"/hubs/a\"]\n[schema_registry]\nurl = \"https://schemas\"\nca_file = \"nowhere\"", "`ca_file` cannot be read: "),
    ("[hub.\"/hubs/a\"]", "[hub.\"/hubs/a\"]\n[schema_registry]\nurl = \"https://schemas\"\nca_file = \"Cargo.toml\"", "`ca_file` holds no certificates in PEM"),
    ("[hub.\"/hubs/a\"]", "[hub.\"/hubs/a\"]\n[schema_registry]\nurl = \"https://schemas\"\ntimeout_seconds = 0", "`timeout_seconds` of [schema_registry] is 0"),
    ("[hub.\"/hubs/a\"]", "[hub.\"/hubs/a\"]\n[schema_registry]\nurl = \"https://schemas\"\ntimeout = 5", "[schema_registry] has no key `timeout` (did you mean `timeout_seconds`?)"),
    ("[hub.\"/hubs/a\"]", "[hub.\"/hubs/a\"]\n[log]\nformat = \"xml\"", "unknown log format \"xml\" (\"pretty\" or \"json\")"),
    ("[hub.\"/hubs/a\"]", "[hub.\"/hubs/a\"]\n[token]\nmax_lifetime_hours = 0", "`max_lifetime_hours` of [token] is 0 (it must be 1 to 720; the default is 24)"),
    ("[hub.\"/hubs/a\"]", "[hub.\"/hubs/a\".method.Join]\narguments = [\"id\"]\njoin = \"list:{id}\"", "12:1: the method `Join` does not say who may call it (for instance allow = "),
    ("[hub.\"/hubs/a\"]", "[hub.\"/hubs/a\".method.Join]\narguments = [\"listId\"]\nallow = true\njoin = \"list:{listID}\"", "15:8: the method knows no `{listID}` (did you mean `listId`?)"),
    ("[hub.\"/hubs/a\"]", "[hub.\"/hubs/a\".method.Join]\narguments = [\"org\"]\nallow = true\njoin = \"list:{org}\"", "13:14: `org` is the caller's own and no argument"),
    ("[hub.\"/hubs/a\"]", "[hub.\"/hubs/a\".method.Join]\narguments = [\"a\", \"a\"]\nallow = true\njoin = \"x\"", "13:19: `a` is listed twice"),
    ("[hub.\"/hubs/a\"]", "[hub.\"/hubs/a\".method.Join]\narguments = [\"0\"]\nallow = true\njoin = \"x\"", "\"0\" is not the name of an argument"),
    ("[hub.\"/hubs/a\"]", "[hub.\"/hubs/a\".method.Join]\narguments = [{ name = \"a\", type = \"strin\" }]\nallow = true\njoin = \"x\"", "13:35: no argument is a `strin` (did you mean `string`?)"),
    ("[hub.\"/hubs/a\"]", "[hub.\"/hubs/a\".method.Join]\narguments = [{ name = \"a\", type = \"integer\", max = 5 }]\nallow = true\njoin = \"x\"", "only a string has a `max`"),
    ("[hub.\"/hubs/a\"]", "[hub.\"/hubs/a\".method.Join]\narguments = [{ name = \"a\", type = \"object\" }]\nallow = true\njoin = \"x:{a}\"", "15:8: `{a}` is an object and cannot be part of a text (a string, a uuid, an integer, a boolean and a list of these can)"),
    ("[hub.\"/hubs/a\"]", "[hub.\"/hubs/a\".method.Join]\nallow = false\njoin = \"x\"", "nobody could call it"),
    ("[hub.\"/hubs/a\"]", "[hub.\"/hubs/a\".method.Join]\nallow = {}\njoin = \"x\"", "`allow` says nothing (for whoever is connected, write allow = true)"),
    ("[hub.\"/hubs/a\"]", "[hub.\"/hubs/a\".method.Join]\nallow = { role = [\"a\"] }\njoin = \"x\"", "13:11: `allow` has no key `role` (did you mean `roles`?)"),
    ("[hub.\"/hubs/a\"]", "[hub.\"/hubs/a\".method.Join]\nallow = { org = \"{orgId}\" }\njoin = \"x\"", "13:17: the method knows no `{orgId}`"),
    ("[hub.\"/hubs/a\"]", "[hub.\"/hubs/a\".method.Join]\nallow = true", "12:1: the method `Join` does nothing (it needs one of "),
    ("[hub.\"/hubs/a\"]", "[hub.\"/hubs/a\".method.Join]\nallow = true\njoin = \"x\"\nleave = \"x\"", "15:1: join and leave exclude each other"),
    ("[hub.\"/hubs/a\"]", "[hub.\"/hubs/a\".method.Leave]\narguments = [\"id\"]\nleave = \"list:{id}\"", "14:9: no method of this hub joins `list:{id}`"),
    ("[hub.\"/hubs/a\"]", "[hub.\"/hubs/a\".method.Join]\nallow = true\njoin = \"x\"\ntouch = \"x\"", "join and touch exclude each other"),
    ("[hub.\"/hubs/a\"]", "[hub.\"/hubs/a\".method.Join]\nallow = true\njoin = []", "`join` names 1 to 16 groups"),
    ("[hub.\"/hubs/a\"]", "[hub.\"/hubs/a\".method.Join]\nallow = []\njoin = \"x\"", "so many conditions cannot be held against a call (1 to 16 conditions"),
    ("[hub.\"/hubs/a\"]", "[hub.\"/hubs/a\".method.Join]\nallow = [{ roles = [\"a\"] }, { orgs = \"x\" }]\njoin = \"x\"", "a condition of `allow` has no key `orgs` (did you mean `org`?)"),
    ("[hub.\"/hubs/a\"]", "[hub.\"/hubs/a\".method.Join]\nallow = { claim = {} }\njoin = \"x\"", "no claim: everybody would meet it"),
    ("[hub.\"/hubs/a\"]", "[hub.\"/hubs/a\".method.Join]\nallow = { claim = { plan = [] } }\njoin = \"x\"", "`plan` has no value that a claim could have"),
    ("[hub.\"/hubs/a\"]", "[hub.\"/hubs/a\".method.Join]\nallow = true\njoin = \"x\"\nrate = { per = \"usr\", calls = 1, seconds = 1 }", "calls are not counted per `usr` (did you mean `user`?)"),
    ("[hub.\"/hubs/a\"]", "[hub.\"/hubs/a\".method.Join]\nallow = true\njoin = \"x\"\nrate = { per = \"user\", calls = 0, seconds = 1 }", "`calls` of `rate` is 0 (it must be 1 to 1000000)"),
    ("[hub.\"/hubs/a\"]", "[hub.\"/hubs/a\".method.Join]\nallow = true\njoin = \"x\"\nrate = { per = \"user\", call = 1, seconds = 1 }", "`rate` has no key `call` (did you mean `calls`?)"),
    ("[hub.\"/hubs/a\"]", "[hub.\"/hubs/a\".method.Join]\nallow = true\njoin = \"x\"\nrate = { per = \"address\", calls = 1, seconds = 1 }", "counts calls per address, which needs `trusted_proxies` of [node]"),
    ("[hub.\"/hubs/a\"]", "[hub.\"/hubs/a\".method.Join]\nallow = true\njoin = \"x\"\nrefusal = false", "a call of this method must be told that it was refused"),
    ("[hub.\"/hubs/a\"]", "[hub.\"/hubs/a\".method.Join]\nallow = true\njoin = \"x\"\nrefusal = \" \"", "`refusal` says nothing that can be told"),
    ("[hub.\"/hubs/a\"]", "[hub.\"/hubs/a\".method.Join]\nallow = true\njoin = \"x\"\narguments = [{ name = \"a\", type = \"list\" }]", "a list does not say what it is of (for instance of = "),
    ("[hub.\"/hubs/a\"]", "[hub.\"/hubs/a\".method.Join]\nallow = true\njoin = \"x\"\narguments = [{ name = \"a\", type = \"list\", of = \"uid\" }]", "no argument is a `uid` (did you mean `uuid`?)"),
    ("[hub.\"/hubs/a\"]", "[hub.\"/hubs/a\".method.Join]\nallow = true\njoin = \"x\"\narguments = [{ name = \"a\", error = { nul = \"x\" } }]", "`error` has no key `nul` (did you mean `null`?)"),
    ("[hub.\"/hubs/a\"]", "[hub.\"/hubs/a\".method.Join]\nallow = true\njoin = \"x:{answer.team}\"", "the method knows no `{answer.team}`"),
    ("[hub.\"/hubs/a\"]", "[hub.\"/hubs/a\".method.Join]\nauthorizer = \"a\"\njoin = \"x:{answer.team}\"\n[authorizer.a]\nurl = \"http://a/{group}\"", "the authorizer is asked about a group that is made of its answer"),
    ("[hub.\"/hubs/a\"]", "[hub.\"/hubs/a\".method.Join]\nallow = true\njoin = \"x\"\n[authorizer.a]\nurl = \"http://a/\"\nmethod = \"post\"", "an authorizer is not asked by "),
    ("[hub.\"/hubs/a\"]", "[hub.\"/hubs/a\".method.Join]\nallow = true\njoin = \"x\"\n[authorizer.a]\nurl = \"http://a/\"\nbody = { a = 1 }", "only a POST has a body (add method = "),
    ("[hub.\"/hubs/a\"]", "[hub.\"/hubs/a\".method.Join]\nallow = true\njoin = \"x\"\n[authorizer.a]\nurl = \"http://a/\"\nrecheck_seconds = 2", "`recheck_seconds` of [authorizer.a] is 2 (it must be 0 for never, or 5 to 86400"),
    ("[hub.\"/hubs/a\"]", "[hub.\"/hubs/a\".method.Join]\nallow = true\njoin = \"x\"\n[authorizer.a]\nurl = \"http://a/\"\ngrace_seconds = 2", "`grace_seconds` needs `recheck_seconds`"),
    ("[hub.\"/hubs/a\"]", "[hub.\"/hubs/a\"]\npublic = true\nrate = { per = \"user\", calls = 1, seconds = 1 }", "a public hub has no users"),
    ("[hub.\"/hubs/a\"]", "[hub.\"/hubs/a\".method.resume]\nallow = true\njoin = \"x\"", "12:23: every hub has a method `resume` of its own"),
    ("[hub.\"/hubs/a\"]", "[hub.\"/hubs/a\".method]\nJoin = { allow = true, join = \"x\" }\njoin = { allow = true, join = \"x\" }", "14:1: `join` is declared twice"),
    ("[hub.\"/hubs/a\"]", "[hub.\"/hubs/a\"]\npublic = true\nmethod.Join = { allow = { roles = [\"a\"] }, join = \"x\" }", "the method `Join` asks for claims, and a public hub has no tokens"),
    ("[hub.\"/hubs/a\"]", "[hub.\"/hubs/a\".method.M]\narguments = [\"id\"]\nauthorizer = \"list\"\njoin = \"list:{id}\"\n[authorizer.lists]\nurl = \"http://a/{id}\"", "14:14: there is no authorizer `list` (did you mean `lists`?)"),
    ("[hub.\"/hubs/a\"]", "[hub.\"/hubs/a\".method.M]\narguments = [\"listId\"]\nauthorizer = \"lists\"\njoin = \"list:{listId}\"\n[authorizer.lists]\nurl = \"http://a/users/{user}/{listID}\"", "14:14: `lists` asks for /users/{user}/{listID}: the method knows no `{listID}` (did you mean `listId`?)"),
    ("[hub.\"/hubs/a\"]", "[hub.\"/hubs/a\".method.M]\nallow = true\nauthorizer = \"lists\"\npublish = { event = \"system.Alert\", fields = { title = \"t\", message = \"m\" } }\n[authorizer.lists]\nurl = \"http://a/{group}\"", "the method knows no `{group}`"),
    ("[hub.\"/hubs/a\"]", "[authorizer.lists]\nurl = \"http://{org}/x\"\n[hub.\"/hubs/a\"]", "13:7: an authorizer's URL has scheme, host, port and path (values stand between the slashes"),
    ("[hub.\"/hubs/a\"]", "[authorizer.lists]\nurl = \"http://a/x?user={user}\"\n[hub.\"/hubs/a\"]", "an authorizer's URL has scheme, host, port and path"),
    ("[hub.\"/hubs/a\"]", "[authorizer.lists]\nurl = \"ftp://a/x\"\n[hub.\"/hubs/a\"]", "13:7: `url` is not an http or https URL"),
    ("[hub.\"/hubs/a\"]", "[authorizer.lists]\nurl = \"http://a/b/../x\"\n[hub.\"/hubs/a\"]", "the URL is not in its normal form (with values it would be read as http://a/x)"),
    ("[hub.\"/hubs/a\"]", "[authorizer.lists]\nurl = \"http://a/{\"\n[hub.\"/hubs/a\"]", "a `{` has no partner"),
    ("[hub.\"/hubs/a\"]", "[authorizer.lists]\ncache_seconds = 301\nurl = \"http://a\"\n[hub.\"/hubs/a\"]", "`cache_seconds` of [authorizer.lists] is 301 (it must be 0 to 300; the default is 0)"),
    ("[hub.\"/hubs/a\"]", "[authorizer.lists]\nurl = \"http://a\"\ntoken_file = \"nowhere\"\n[hub.\"/hubs/a\"]", "14:14: `token_file` cannot be read: "),
    ("[hub.\"/hubs/a\"]", "[authorizer.lists]\nuri = \"http://a\"\n[hub.\"/hubs/a\"]", "[authorizer.lists] has no key `uri` (did you mean `url`?)"),
    ("[hub.\"/hubs/a\"]", "[hub.\"/hubs/a\".method.M]\npublish = { event = \"system.Alert\" }", "12:1: the method `M` does not say who may call it"),
    ("[hub.\"/hubs/a\"]", "[hub.\"/hubs/a\".method.M]\nallow = true\npublish = { event = \"system.Alert\", fields = { title = \"{titel}\" } }", "14:56: the method knows no `{titel}`"),
    ("[hub.\"/hubs/a\"]", "[hub.\"/hubs/a\".method.M]\ngrant = false\njoin = \"x\"", "13:1: `grant` can only be true (leave the key out)"),
    ("[hub.\"/hubs/a\"]", "[hub.\"/hubs/a\".method.M]\ngrant = true\npublish = { event = \"system.Alert\" }", "13:1: only a method that joins a group can ask for a grant"),
    ("[hub.\"/hubs/a\"]", "[[issuer]]\nissuer = \"a\"\njwks = \"http://a\"\nusers = true\nrealm = \"a\"\norgs = [\"*\"]\nroles = [\"*\"]\n[[issuer]]\nissuer = \"b\"\njwks = \"http://b\"\nusers = true\nrealm = \"b\"\norgs = [\"*\"]\nroles = [\"*\"]\n[hub.\"/hubs/a\".method.M]\narguments = [\"id\"]\nallow = { user = \"{id}\" }\njoin = \"room:{id}\"", "`allow` of the method `M` compares users, and users of every realm pass (add realm = "),
    ("[hub.\"/hubs/a\"]", "[[issuer]]\nissuer = \"a\"\njwks = \"http://a\"\nusers = true\nrealm = \"a\"\norgs = [\"*\"]\nroles = [\"*\"]\n[[issuer]]\nissuer = \"b\"\njwks = \"http://b\"\nusers = true\nrealm = \"b\"\norgs = [\"*\"]\nroles = [\"*\"]\n[authorizer.lists]\nurl = \"http://a/{user}/{id}\"\n[hub.\"/hubs/a\".method.M]\narguments = [\"id\"]\nauthorizer = \"lists\"\njoin = \"list:{id}\"", "the authorizer of the method `M` is asked about {user} without {realm} (add {realm} to its URL"),
    ("[node]", "[node", "fanfare.toml:2:"),
];

#[test]
fn a_hub_may_be_at_the_usual_path_of_health_checks() {
    let at_health = LEAST.replace("[hub.\"/hubs/a\"]", "[hub.\"/health\"]");
    assert!(told(&at_health).is_empty(), "nobody else is there");
    assert!(told(&format!("{at_health}[health]\npath = \"/ready\"\n")).is_empty());
}

#[test]
fn each_fault_is_reported_with_its_place_and_a_fix() {
    for (part, replacement, expected) in CASES {
        assert!(LEAST.contains(part), "{part}");
        let told = told(&LEAST.replacen(part, replacement, 1));
        assert!(
            told.iter().any(|fault| fault.contains(expected)),
            "{replacement}\nexpected {expected}\ntold {told:#?}"
        );
    }
}

#[test]
fn all_faults_are_reported_in_the_order_of_the_file() {
    let text =
        LEAST.replace("\"127.0.0.1:9090\"", "7").replace("\"embedded:log\"", "true").replace("\"key.pem\"", "[]");
    let faults = parse(&text).unwrap_err();
    assert_eq!(faults.iter().map(|fault| fault.line).collect::<Vec<_>>(), [4, 7, 11]);
}

#[test]
fn a_missing_file_is_reported_without_a_place() {
    let fault = Config::load(Path::new("/nowhere/fanfare.toml")).unwrap_err().remove(0);
    assert!(fault.to_string().starts_with("/nowhere/fanfare.toml: cannot be read: "), "{fault}");
}

#[test]
fn a_schema_registry_is_read_without_the_slash_at_its_end() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("password"), "secret\n").unwrap();
    let section =
        "[schema_registry]\nurl = \"http://127.0.0.1:8081/base/\"\nuser = \"node\"\npassword_file = \"password\"\n";
    let config = parse_in(folder.path(), &format!("{LEAST}\n{section}")).unwrap().schema_registry.unwrap();
    assert_eq!((config.url.as_str(), config.is_loopback), ("http://127.0.0.1:8081/base", true));
    let (user, password) = config.login.unwrap();
    assert_eq!((user.as_str(), password.as_bytes()), ("node", &b"secret"[..]));
    assert_eq!(config.timeout, std::time::Duration::from_secs(5));
    assert!(sound(LEAST).schema_registry.is_none());
}

/// What is said beside [`LEAST`] in the configuration, and what is warned of.
#[rustfmt::skip]
const WARNINGS: &[(&str, &[&str])] = &[
    ("", &[]),
    ("[hub.\"/hubs/b\"]\nkeepalive_seconds = 15", &[]),
    ("[limits]\nkeepalive_seconds = 16", &["14:1: `keepalive_seconds` is 16, more than half of the 30 s for which clients wait"]),
    ("[hub.\"/hubs/b\"]\nkeepalive_seconds = 20", &["14:1: `keepalive_seconds` is 20", "(at most 15, or a `serverTimeout`"]),
    ("[limits]\noutbox_bytes = 524288", &["14:1: `outbox_bytes` is called `queue_bytes` now", "(write queue_bytes"]),
    ("[hub.\"/Hubs/A\"]", &["13:6: /hubs/a and /Hubs/A are one path to clients", "keep one of the two"]),
    ("[hub.\"/hubs/b\"]\njoin = [\"org:${org}\"]", &["14:9: `${org}` is a dollar sign and the value (write `{org}` for the value alone)"]),
    ("[hub.\"/hubs/b\"]\njoin = [\"$-{org}\"]", &[]),
];

#[test]
fn unlikely_settings_are_warned_about() {
    for (more, expected) in WARNINGS {
        let told: Vec<_> = sound(&format!("{LEAST}{more}\n")).warnings.iter().map(ToString::to_string).collect();
        assert_eq!(told.len(), usize::from(!expected.is_empty()), "{more}: {told:?}");
        assert!(expected.iter().all(|part| told[0].contains(part)), "{more}: {told:?}");
    }
}

#[test]
fn the_old_name_of_the_queue_is_read_and_not_beside_the_new_one() {
    let limits = |text: &str| sound(&format!("{LEAST}[limits]\n{text}\n")).limits.queue_bytes;
    assert_eq!((limits("outbox_bytes = 524288"), limits("queue_bytes = 524288")), (524_288, 524_288));
    let both = format!("{LEAST}[limits]\noutbox_bytes = 524288\nqueue_bytes = 524288\n");
    let faults = parse(&both).expect_err("two names of one thing");
    assert!(faults[0].to_string().contains("keep `queue_bytes` alone"), "{}", faults[0]);
}

/// A folder with a configuration without schemas, and these routes.
/// Two things that name a third, which is faulty: the third alone is told.
#[rustfmt::skip]
const ALONE: &[(&str, &str)] = &[
    ("[authorizer.lists]\nurl = \"ftp://a/{user}\"\n[hub.\"/hubs/b\".method.Join]\narguments = [\"id\"]\nauthorizer = \"lists\"\njoin = \"list:{id}\"\n\
      [hub.\"/hubs/b\".method.Leave]\narguments = [\"id\"]\nleave = \"list:{id}\"", "`url` is not an http or https URL"),
    ("[hub.\"/hubs/b\".method.Join]\narguments = [{ name = \"id\", type = \"strin\" }]\nallow = true\njoin = \"list:{id}\"\n\
      [hub.\"/hubs/b\".method.Leave]\narguments = [\"id\"]\nleave = \"list:{id}\"\n\
      [hub.\"/hubs/b\".presence.\"list:{id}\"]\nheartbeat = \"Join\"\ninactive_after_seconds = 45\n\
      snapshot = { target = \"there\", arguments = [\"{$members}\"] }", "no argument is a `strin`"),
];

#[test]
fn a_fault_is_reported_once_and_not_for_everything_that_depends_on_it() {
    for (more, expected) in ALONE {
        let faults = told(&format!("{LEAST}{more}\n"));
        assert!(faults.len() == 1 && faults[0].contains(expected), "{faults:?}");
    }
}
