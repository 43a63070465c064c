#!/usr/bin/env python3
"""Checks a proof of `theater prove` without Theater: check_proof.py PROOF.json [HOST_KEY_IN_HEX]

Exit status 0: the event is in the chain that the host signed. docs/proofs.md has the format.
"""
import base64, hashlib, json, sys

P, ORDER = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P

def sha(*parts): return hashlib.sha256(b"".join(parts)).digest()
def u64(n): return n.to_bytes(8, "big")
def sized(part): return len(part).to_bytes(4, "big") + part
def require(holds, what): holds or sys.exit("NO: " + what)

def point(data):  # RFC 8032, section 5.1.3
    y = int.from_bytes(data, "little") & (1 << 255) - 1
    xx = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(xx, (P + 3) // 8, P)
    x = x if x * x % P == xx else x * pow(2, (P - 1) // 4, P) % P
    require(x * x % P == xx and y < P, "this is no point of the curve")
    return (P - x if x & 1 != data[31] >> 7 else x), y

def add(a, b):
    (x1, y1), (x2, y2), t = a, b, D * a[0] * b[0] * a[1] * b[1]
    return (x1 * y2 + x2 * y1) * pow(1 + t, -1, P) % P, (y1 * y2 + x1 * x2) * pow(1 - t, -1, P) % P

def times(n, a):
    total = (0, 1)
    for bit in bin(n)[2:]:
        total = add(total, total)
        total = add(total, a) if bit == "1" else total
    return total

def signed(key, text, signature):
    s = int.from_bytes(signature[32:], "little")
    h = int.from_bytes(hashlib.sha512(signature[:32] + key + text).digest(), "little") % ORDER
    base = point((4 * pow(5, -1, P) % P).to_bytes(32, "little"))
    return s < ORDER and times(s, base) == add(point(signature[:32]), times(h, point(key)))

proof = json.load(open(sys.argv[1]))
event, decode = proof["event"], base64.b64decode
require(proof["format"] == "theater/proof/1", "another format")
commit = bytes.fromhex(event["payload_commit"] or "00" * 32)
hash = sha(b"theater/event/1", u64(event["seq"]), bytes.fromhex(event["parent_hash"]), u64(event["timestamp"]),
           sized(event["event_type"].encode()), sized(decode(event["data"])), commit)
require(hash.hex() == event["hash"], "the event does not hash to its hash")
if "payload" in proof:
    payload = decode(proof["payload"]["salt"]), decode(proof["payload"]["bytes"])
    require(sha(b"theater/payload/1", *payload) == commit, "the payload is another one")
place, last, node = event["seq"], proof["size"] - 1, sha(b"\0", hash)  # RFC 9162, section 2.1.3.2
require(place <= last, "the tree is smaller")
for sibling in map(bytes.fromhex, proof["inclusion"]):
    if place & 1 or place == last:
        node = sha(b"\1", sibling, node)
        while not place & 1 and place:
            place, last = place >> 1, last >> 1
    else:
        node = sha(b"\1", node, sibling)
    place, last = place >> 1, last >> 1
require(last == 0 and node.hex() == proof["root"], "the event is not in the tree")
require(proof["checkpoint"], "it is not signed")
name, key_id, key = proof["key"].split("+", 2)
key = decode(key)[1:]
text, lines = proof["checkpoint"].split("\n\n")
dash, signer, signature = lines.rstrip("\n").split(" ")
origin = f"theater/{sha(key).hex()}/{proof['actor_id']}"
require(text == f"{origin}\n{proof['size']}\n{base64.b64encode(node).decode()}", "the checkpoint is of another tree")
require(name == signer == origin and sha(name.encode(), b"\n\1", key)[:4] == decode(signature)[:4], "another key")
require(signed(key, (text + "\n").encode(), decode(signature)[4:]), "the signature is not that of the key")
require(len(sys.argv) < 3 or sys.argv[2] == key.hex(), "another host signed it")
print(f"yes: event {event['seq']} ({event['event_type']}) of {proof['actor_id']} is in a chain of {proof['size']} events,")
print(f"signed by the host with the key {key.hex()}" + ("" if len(sys.argv) > 2 else " (is it the right one?)"))
