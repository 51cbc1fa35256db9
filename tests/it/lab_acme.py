"""A stranger's ACME client: certbot's library. Does something up to N times, until the server refuses.

    lab_acme.py DIRECTORY CA KEY certificates|failures|orders|accounts N ADDRESS [CERTIFICATE]

Prints one JSON object: how often it was done, how it was refused, and the name (RFC 9773) of the last certificate. A
CERTIFICATE is one that the first replaces. The account's key is made if there is none in the file KEY.
"""

import base64
import functools
import http.server
import json
import sys
import threading
import time
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import josepy as jose
from acme import challenges, client, crypto_util, errors, messages
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

directory, authority, key_file, verb, times, address = sys.argv[1:7]
replaced = sys.argv[7:8]

# The library looks every second, and this server is done at once.
sleep = time.sleep
time.sleep = lambda seconds: sleep(min(seconds, 0.1))


class NewOrder(messages.NewOrder):
    """With the field of RFC 9773, which this version of the library does not know."""

    replaces: Any = jose.field("replaces", omitempty=True)


class Network(client.ClientNetwork):
    """Keeps the last response, because the library's error has no headers. Bears more than one nonce refused."""

    last = None

    def post(self, *args, **kwargs):
        for _ in range(9):
            try:
                return super().post(*args, **kwargs)
            except messages.Error as error:
                if error.code != "badNonce":
                    raise
        return super().post(*args, **kwargs)

    def _send_request(self, *args, **kwargs):
        self.last = super()._send_request(*args, **kwargs)
        return self.last


class Tokens(http.server.BaseHTTPRequestHandler):
    """Answers HTTP-01."""

    known = {}

    def do_GET(self):
        body = self.known.get(self.path, "").encode()
        self.send_response(200 if body else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


def key_in(file):
    file = Path(file)
    if not file.exists():
        file.write_bytes(pem(ec.generate_private_key(ec.SECP256R1())))
    return jose.JWKEC(key=serialization.load_pem_private_key(file.read_bytes(), None))


def pem(key):
    none = serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, none)


def connected(key):
    network = Network(key, alg=jose.ES256, verify_ssl=authority, user_agent="stranger")
    found = client.ClientV2.get_directory(directory, network)
    return client.ClientV2(found, network)


def account(acme):
    try:
        acme.new_account(messages.NewRegistration.from_data(terms_of_service_agreed=True))
    except errors.ConflictError as known:
        found = messages.RegistrationResource(uri=known.location, body=messages.Registration())
        acme.net.account = found


def certificate(acme, key):
    request = crypto_util.make_csr(pem(ec.generate_private_key(ec.SECP256R1())), ipaddrs=[ip_address(address)])
    order = acme.new_order(request)
    for authorization in order.authorizations:
        for challenge in authorization.body.challenges:
            if isinstance(challenge.chall, challenges.HTTP01) and authorization.body.status.name == "pending":
                response, validation = challenge.chall.response_and_validation(key)
                Tokens.known[challenge.chall.path] = validation
                acme.answer_challenge(challenge, response)
    return named(acme.poll_and_finalize(order).fullchain_pem)


def named(chain):
    leaf = x509.load_pem_x509_certificate(chain.encode())
    issuer = leaf.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
    serial = leaf.serial_number.to_bytes(leaf.serial_number.bit_length() // 8 + 1, "big")
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in (issuer, serial))


def failure(acme, key):
    try:
        certificate(acme, key)
    except errors.ValidationError:
        return
    raise SystemExit("validated, though nobody answers at " + address)


def order(acme, name):
    acme.new_order(crypto_util.make_csr(pem(ec.generate_private_key(ec.SECP256R1())), domains=[name]))


key = key_in(key_file)
acme = connected(key)
if verb == "certificates":
    server = http.server.ThreadingHTTPServer((address, 80), Tokens)
    threading.Thread(target=server.serve_forever, daemon=True).start()
done, refused, last = 0, None, None
plain = messages.NewOrder
try:
    if verb != "accounts":
        account(acme)
    for n in range(int(times)):
        messages.NewOrder = functools.partial(NewOrder, replaces=replaced.pop()) if replaced else plain
        if verb == "certificates":
            last = certificate(acme, key)
        elif verb == "failures":
            failure(acme, key)
        elif verb == "orders":
            order(acme, f"n{n}.{address}")
        else:
            acme = connected(jose.JWKEC(key=ec.generate_private_key(ec.SECP256R1())))
            account(acme)
        done += 1
except (messages.Error, errors.ConflictError):
    response = acme.net.last
    refused = {
        **response.json(),
        "content_type": response.headers.get("Content-Type"),
        "retry_after": int(response.headers.get("Retry-After", 0)),
        "nonce": "Replay-Nonce" in response.headers,
    }
print(json.dumps({"done": done, "refused": refused, "last": last}))
