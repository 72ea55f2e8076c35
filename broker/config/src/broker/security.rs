//! Rows: the broker keys about TLS, SASL, principals and tokens, as Apache Kafka 4.3.1 defines them; the sentences are ours.
//! Core.

use crate::row::ConfigType::*;
use crate::row::DynamicMode::*;
use crate::row::Importance::*;
use crate::row::Validation::*;
use crate::row::{ConfigRow, between, list, row};

#[rustfmt::skip]
pub(crate) static SECURITY: &[ConfigRow] = &[
    row("connections.max.reauth.ms", Long, Some("0"), Any, ReadOnly, Medium)
        .doc("Longest life of an authenticated session before it must authenticate again; 0 is no limit."),
    row("principal.builder.class", Class, Some("org.apache.kafka.common.security.authenticator.DefaultKafkaPrincipalBuilder"), Any, PerBroker, Medium)
        .doc("Java class that makes a principal of a connection."),
    row("sasl.client.callback.handler.class", Class, None, Any, ReadOnly, Medium)
        .doc("Java class of the SASL client callback handler."),
    row("sasl.enabled.mechanisms", List, Some("GSSAPI"), list(&[], true), PerBroker, Medium)
        .doc("SASL mechanisms that clients may use."),
    row("sasl.jaas.config", Password, None, Any, PerBroker, Medium)
        .doc("JAAS login of SASL connections."),
    row("sasl.kerberos.kinit.cmd", String, Some("/usr/bin/kinit"), Any, PerBroker, Medium)
        .doc("Path of the kinit command."),
    row("sasl.kerberos.min.time.before.relogin", Long, Some("60000"), Any, PerBroker, Medium)
        .doc("Shortest time between two Kerberos logins."),
    row("sasl.kerberos.principal.to.local.rules", List, Some("DEFAULT"), list(&[], true), PerBroker, Medium)
        .doc("Rules from Kerberos principals to short names."),
    row("sasl.kerberos.service.name", String, None, Any, PerBroker, Medium)
        .doc("Kerberos name the broker runs as."),
    row("sasl.kerberos.ticket.renew.jitter", Double, Some("0.05"), Any, PerBroker, Medium)
        .doc("Randomness of the Kerberos renewal time."),
    row("sasl.kerberos.ticket.renew.window.factor", Double, Some("0.8"), Any, PerBroker, Medium)
        .doc("Share of a ticket's life after which it is renewed."),
    row("sasl.login.callback.handler.class", Class, None, Any, ReadOnly, Medium)
        .doc("Java class of the SASL login callback handler."),
    row("sasl.login.class", Class, None, Any, ReadOnly, Medium)
        .doc("Java class of the SASL login."),
    row("sasl.login.connect.timeout.ms", Int, None, Any, ReadOnly, Low)
        .doc("Connect timeout to the identity provider."),
    row("sasl.login.read.timeout.ms", Int, None, Any, ReadOnly, Low)
        .doc("Read timeout from the identity provider."),
    row("sasl.login.refresh.buffer.seconds", Short, Some("300"), Any, PerBroker, Medium)
        .doc("Seconds before expiry by which a login is refreshed."),
    row("sasl.login.refresh.min.period.seconds", Short, Some("60"), Any, PerBroker, Medium)
        .doc("Least seconds between two refreshes of a login."),
    row("sasl.login.refresh.window.factor", Double, Some("0.8"), Any, PerBroker, Medium)
        .doc("Share of a login's life after which it is refreshed."),
    row("sasl.login.refresh.window.jitter", Double, Some("0.05"), Any, PerBroker, Medium)
        .doc("Randomness of the refresh time of a login."),
    row("sasl.login.retry.backoff.max.ms", Long, Some("10000"), Any, ReadOnly, Low)
        .doc("Longest pause between tries to log in."),
    row("sasl.login.retry.backoff.ms", Long, Some("100"), Any, ReadOnly, Low)
        .doc("First pause between tries to log in."),
    row("sasl.mechanism.controller.protocol", String, Some("GSSAPI"), Any, ReadOnly, High)
        .doc("SASL mechanism towards controllers."),
    row("sasl.mechanism.inter.broker.protocol", String, Some("GSSAPI"), Any, PerBroker, Medium)
        .doc("SASL mechanism among brokers."),
    row("sasl.oauthbearer.assertion.algorithm", String, Some("RS256"), OneOfIgnoreCase(&["ES256", "RS256"]), ReadOnly, Medium)
        .doc("Signing algorithm of the OAuth assertion."),
    row("sasl.oauthbearer.assertion.claim.aud", String, None, Any, ReadOnly, Medium)
        .doc("Audience claim of the OAuth assertion."),
    row("sasl.oauthbearer.assertion.claim.exp.seconds", Int, Some("300"), between(0, 86400), ReadOnly, Low)
        .doc("Seconds that the OAuth assertion is valid."),
    row("sasl.oauthbearer.assertion.claim.iss", String, None, Any, ReadOnly, Medium)
        .doc("Issuer claim of the OAuth assertion."),
    row("sasl.oauthbearer.assertion.claim.jti.include", Boolean, Some("false"), Any, ReadOnly, Medium)
        .doc("Whether the OAuth assertion has an id."),
    row("sasl.oauthbearer.assertion.claim.nbf.seconds", Int, Some("60"), between(0, 3600), ReadOnly, Low)
        .doc("Seconds before now from which the OAuth assertion is valid."),
    row("sasl.oauthbearer.assertion.claim.sub", String, None, Any, ReadOnly, Medium)
        .doc("Subject claim of the OAuth assertion."),
    row("sasl.oauthbearer.assertion.file", String, None, Any, ReadOnly, Medium)
        .doc("File with a ready OAuth assertion."),
    row("sasl.oauthbearer.assertion.private.key.file", String, None, Any, ReadOnly, Medium)
        .doc("File with the key that signs the OAuth assertion."),
    row("sasl.oauthbearer.assertion.private.key.passphrase", Password, None, Any, ReadOnly, Medium)
        .doc("Passphrase of the key that signs the OAuth assertion."),
    row("sasl.oauthbearer.assertion.template.file", String, None, Any, ReadOnly, Medium)
        .doc("File with a template of the OAuth assertion."),
    row("sasl.oauthbearer.client.credentials.client.id", String, None, Any, ReadOnly, Medium)
        .doc("Client id towards the OAuth provider."),
    row("sasl.oauthbearer.client.credentials.client.secret", Password, None, Any, ReadOnly, Medium)
        .doc("Client secret towards the OAuth provider."),
    row("sasl.oauthbearer.clock.skew.seconds", Int, Some("30"), Any, ReadOnly, Low)
        .doc("Seconds by which the OAuth provider's clock may differ."),
    row("sasl.oauthbearer.expected.audience", List, Some(""), list(&[], true), ReadOnly, High)
        .doc("Audiences accepted in OAuth tokens."),
    row("sasl.oauthbearer.expected.issuer", String, None, Any, ReadOnly, High)
        .doc("Issuer expected in OAuth tokens."),
    row("sasl.oauthbearer.jwks.endpoint.refresh.ms", Long, Some("3600000"), Any, ReadOnly, Low)
        .doc("How often the keys of the OAuth provider are read anew."),
    row("sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms", Long, Some("10000"), Any, ReadOnly, Low)
        .doc("Longest pause between tries to read the keys of the OAuth provider."),
    row("sasl.oauthbearer.jwks.endpoint.retry.backoff.ms", Long, Some("100"), Any, ReadOnly, Low)
        .doc("First pause between tries to read the keys of the OAuth provider."),
    row("sasl.oauthbearer.jwks.endpoint.url", String, None, Any, ReadOnly, Medium)
        .doc("Where the keys of the OAuth provider are."),
    row("sasl.oauthbearer.jwt.retriever.class", Class, Some("org.apache.kafka.common.security.oauthbearer.DefaultJwtRetriever"), Any, ReadOnly, Medium)
        .doc("Java class that fetches OAuth tokens."),
    row("sasl.oauthbearer.jwt.validator.class", Class, Some("org.apache.kafka.common.security.oauthbearer.DefaultJwtValidator"), Any, ReadOnly, Medium)
        .doc("Java class that checks OAuth tokens."),
    row("sasl.oauthbearer.scope", String, None, Any, ReadOnly, Medium)
        .doc("Scope asked of the OAuth provider."),
    row("sasl.oauthbearer.scope.claim.name", String, Some("scope"), Any, ReadOnly, Low)
        .doc("Claim that holds the scope."),
    row("sasl.oauthbearer.sub.claim.name", String, Some("sub"), Any, ReadOnly, Low)
        .doc("Claim that holds the subject."),
    row("sasl.oauthbearer.token.endpoint.url", String, None, Any, ReadOnly, Medium)
        .doc("Where OAuth tokens are fetched."),
    row("sasl.server.callback.handler.class", Class, None, Any, ReadOnly, Medium)
        .doc("Java class of the SASL server callback handler."),
    row("sasl.server.max.receive.size", Int, Some("524288"), Any, ReadOnly, Medium)
        .doc("Largest message before a connection is authenticated."),
    row("security.inter.broker.protocol", String, Some("PLAINTEXT"), OneOf(&["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]), ReadOnly, Medium)
        .doc("Security protocol among brokers."),
    row("security.providers", String, None, Any, ReadOnly, Low)
        .doc("Java security providers."),
    row("ssl.allow.dn.changes", Boolean, Some("false"), Any, ReadOnly, Low)
        .doc("Whether a new certificate may change its distinguished name."),
    row("ssl.allow.san.changes", Boolean, Some("false"), Any, ReadOnly, Low)
        .doc("Whether a new certificate may drop alternative names."),
    row("ssl.cipher.suites", List, Some(""), list(&[], true), PerBroker, Medium).at_start()
        .doc("Cipher suites allowed in TLS."),
    row("ssl.client.auth", String, Some("none"), OneOf(&["required", "requested", "none"]), PerBroker, Medium).at_start()
        .doc("Whether clients must show a certificate."),
    row("ssl.enabled.protocols", List, Some("TLSv1.2,TLSv1.3"), list(&[], true), PerBroker, Medium).at_start()
        .doc("TLS versions that are switched on."),
    row("ssl.endpoint.identification.algorithm", String, Some("https"), Any, PerBroker, Low).at_start()
        .doc("How the name of a TLS server is checked."),
    row("ssl.engine.factory.class", Class, None, Any, PerBroker, Low).at_start()
        .doc("Java class that makes TLS engines."),
    row("ssl.key.password", Password, None, Any, PerBroker, Medium)
        .doc("Password of the private key."),
    row("ssl.keymanager.algorithm", String, Some("SunX509"), Any, PerBroker, Medium).at_start()
        .doc("Algorithm of the Java key manager."),
    row("ssl.keystore.certificate.chain", Password, None, Any, PerBroker, Medium)
        .doc("Certificate chain in PEM form."),
    row("ssl.keystore.key", Password, None, Any, PerBroker, Medium)
        .doc("Private key in PEM form."),
    row("ssl.keystore.location", String, None, Any, PerBroker, Medium)
        .doc("File of the key store."),
    row("ssl.keystore.password", Password, None, Any, PerBroker, Medium)
        .doc("Password of the key store."),
    row("ssl.keystore.type", String, Some("JKS"), Any, PerBroker, Medium)
        .doc("Format of the key store."),
    row("ssl.principal.mapping.rules", String, Some("DEFAULT"), Any, ReadOnly, Low)
        .doc("Rules from certificate names to short names."),
    row("ssl.protocol", String, Some("TLSv1.3"), Any, PerBroker, Medium).at_start()
        .doc("TLS version used by default."),
    row("ssl.provider", String, None, Any, PerBroker, Medium).at_start()
        .doc("Java security provider of TLS."),
    row("ssl.secure.random.implementation", String, None, Any, PerBroker, Low).at_start()
        .doc("Java random source of TLS."),
    row("ssl.trustmanager.algorithm", String, Some("PKIX"), Any, PerBroker, Medium).at_start()
        .doc("Algorithm of the Java trust manager."),
    row("ssl.truststore.certificates", Password, None, Any, PerBroker, Medium)
        .doc("Trusted certificates in PEM form."),
    row("ssl.truststore.location", String, None, Any, PerBroker, Medium)
        .doc("File of the trust store."),
    row("ssl.truststore.password", Password, None, Any, PerBroker, Medium)
        .doc("Password of the trust store."),
    row("ssl.truststore.type", String, Some("JKS"), Any, PerBroker, Medium)
        .doc("Format of the trust store."),
];
