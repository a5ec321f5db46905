// Signs the tokens of users and producers, and publishes the key that verifies them.

import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, sign, verify } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const USERS = "fanfare";
const PRODUCERS = "fanfare-publish";
/** The lifetime of a token that this backend issues to itself. */
const PRODUCER_SECONDS = 60;

const encode = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");

export class Issuer {
  #name;
  #key;
  #public;
  #kid;
  #publish;
  #audience;

  /**
   * The issuer with this name, with the key in a folder, which is created if it is missing. It may publish these types.
   */
  constructor(name, folder, { publish, audience = USERS }) {
    this.#name = name;
    this.#publish = publish;
    this.#audience = audience;
    this.#key = createPrivateKey(keyOf(folder));
    this.#public = createPublicKey(this.#key);
    const { e, kty, n } = this.#public.export({ format: "jwk" });
    this.#kid = createHash("sha256").update(JSON.stringify({ e, kty, n })).digest("base64url");
  }

  /** The answer of /.well-known/jwks.json. */
  jwks() {
    return { keys: [{ ...this.#public.export({ format: "jwk" }), kid: this.#kid, alg: "RS256", use: "sig" }] };
  }

  /** The `iss` of its tokens, unless their claims have another. */
  get name() {
    return this.#name;
  }

  /** A user's token. */
  userToken(claims, seconds) {
    return this.#sign({ aud: this.#audience, ...claims }, seconds);
  }

  /** A token for publishing events of an org. */
  producerToken(org) {
    const claims = { aud: PRODUCERS, sub: this.#name, roles: ["producer"], publish: this.#publish };
    return this.#sign(org === undefined ? claims : { ...claims, org }, PRODUCER_SECONDS);
  }

  /** The claims of a valid user's token of this issuer, or undefined. */
  claims(token) {
    const [header, body, signature, ...more] = token.split(".");
    if (signature === undefined || more.length > 0) {
      return undefined;
    }
    const signed = Buffer.from(`${header}.${body}`);
    if (!verify("sha256", signed, this.#public, Buffer.from(signature, "base64url"))) {
      return undefined;
    }
    const claims = JSON.parse(Buffer.from(body, "base64url"));
    return claims.aud === this.#audience && claims.exp > Date.now() / 1000 ? claims : undefined;
  }

  #sign(claims, seconds) {
    const now = Math.floor(Date.now() / 1000);
    const header = encode({ alg: "RS256", typ: "JWT", kid: this.#kid });
    const signed = `${header}.${encode({ iss: this.#name, iat: now, exp: now + seconds, ...claims })}`;
    return `${signed}.${sign("sha256", Buffer.from(signed), this.#key).toString("base64url")}`;
  }
}

function keyOf(folder) {
  const path = join(folder, "key.pem");
  try {
    return readFileSync(path);
  } catch (error) {
    if (error.code !== "ENOENT") {
      throw error;
    }
  }
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const pem = privateKey.export({ type: "pkcs8", format: "pem" });
  mkdirSync(folder, { recursive: true });
  writeFileSync(path, pem, { mode: 0o600 });
  return pem;
}
