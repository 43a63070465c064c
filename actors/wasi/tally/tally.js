// Counts, and says when and with which random number it did. Its state is JSON.
import { log } from "theater:simple/runtime@0.1.0";
import { getRandomU64 } from "wasi:random/random@0.2.12";

const text = (bytes) => decodeURIComponent(escape(String.fromCharCode(...bytes)));
const bytes = (text) => Uint8Array.from(unescape(encodeURIComponent(text)), (c) => c.charCodeAt(0));
const read = (state) => (state ? JSON.parse(text(state)) : { n: 0 });
const write = (state) => bytes(JSON.stringify(state));

export const actor = {
  init(state, [id]) {
    log("info", `tally ${id} starts`);
    return [write(read(state))];
  },
};

export const messageServerClient = {
  handleSend(state, [message]) {
    throw "send nothing; ask";
  },
  handleRequest(state, [id, message]) {
    const tally = read(state);
    tally.n += 1;
    const answer = { n: tally.n, asked: text(message), now: Date.now(), random: String(getRandomU64()) };
    return [write(tally), bytes(JSON.stringify(answer))];
  },
};
