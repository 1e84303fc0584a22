// SPDX-License-Identifier: Apache-2.0
// A peer of Roam, wire version 6, in plain Node.js (20 or later, no packages), written from the specification.
//
//   node roam_node_peer.mjs serve [--silent] [--unix PATH]   listens, prints its port; --silent: reads and never answers
//   node roam_node_peer.mjs call PORT|PATH METHOD_ID TEXT    calls a method that takes and returns a string
//
// It answers every request with its own arguments: right for a method that takes a string and returns one.

import net from "node:net";

const HELLO = 0, GOODBYE = 4, REQUEST = 5, RESPONSE = 6;
const VERSION_6 = 5; // Hello's discriminants count from 0
const FRAME_MOST = 1 << 21;

// --- postcard ---------------------------------------------------------------------------------------------------------

function varint(value) {
  const out = [];
  let rest = BigInt(value);
  while (rest > 0x7fn) {
    out.push(Number(rest & 0x7fn) | 0x80);
    rest >>= 7n;
  }
  out.push(Number(rest));
  return Buffer.from(out);
}

const bytes = (data) => Buffer.concat([varint(data.length), data]);
const text = (value) => bytes(Buffer.from(value, "utf8"));

class Reader {
  constructor(data) {
    this.data = data;
    this.at = 0;
  }

  varint() {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      if (this.at >= this.data.length) throw new Error("it ends too early");
      const byte = this.data[this.at++];
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    throw new Error("a varint that is too long");
  }

  bytes() {
    const size = Number(this.varint());
    if (size > this.data.length - this.at) throw new Error("bytes that are not there");
    this.at += size;
    return this.data.subarray(this.at - size, this.at);
  }

  text() {
    return this.bytes().toString("utf8");
  }

  metadata() {
    const found = [];
    for (let left = Number(this.varint()); left > 0; left--) {
      const key = this.text();
      const kind = Number(this.varint());
      const value = kind === 0 ? this.text() : kind === 1 ? this.bytes() : this.varint();
      found.push({ key, value, flags: this.varint() });
    }
    return found;
  }
}

// --- messages ---------------------------------------------------------------------------------------------------------

function hello(name) {
  const metadata = Buffer.concat([varint(1), text("name"), varint(0), text(name), varint(0)]);
  return Buffer.concat([varint(HELLO), varint(VERSION_6), varint(1 << 20), varint(65536), varint(64), metadata]);
}

const request = (id, method, payload) =>
  Buffer.concat([varint(REQUEST), varint(0), varint(id), varint(method), varint(0), varint(0), bytes(payload)]);

const response = (connection, id, payload) =>
  Buffer.concat([varint(RESPONSE), varint(connection), varint(id), varint(0), varint(0), bytes(payload)]);

function decode(data) {
  const reader = new Reader(data);
  const kind = Number(reader.varint());
  if (kind === HELLO) return { kind, version: Number(reader.varint()) + 1 };
  if (kind === GOODBYE) return { kind, connection: reader.varint(), reason: reader.text() };
  if (kind !== REQUEST && kind !== RESPONSE) return { kind };
  const found = { kind, connection: reader.varint(), id: reader.varint() };
  if (kind === REQUEST) found.method = reader.varint();
  found.metadata = reader.metadata();
  found.channels = [];
  for (let left = Number(reader.varint()); left > 0; left--) found.channels.push(reader.varint());
  found.payload = reader.bytes();
  return found;
}

// --- a link -----------------------------------------------------------------------------------------------------------

function send(socket, message) {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(message.length);
  socket.write(Buffer.concat([length, message]));
}

function link(socket, name, take) {
  let waiting = Buffer.alloc(0);
  socket.on("error", () => {});
  socket.on("data", (data) => {
    waiting = Buffer.concat([waiting, data]);
    while (waiting.length >= 4) {
      const size = waiting.readUInt32LE(0);
      if (size > FRAME_MOST) return socket.destroy();
      if (waiting.length < 4 + size) return;
      const message = decode(waiting.subarray(4, 4 + size));
      waiting = waiting.subarray(4 + size);
      if (message.kind === GOODBYE && message.connection === 0n) return socket.end();
      take(message);
    }
  });
  send(socket, hello(name));
}

const OK = Buffer.from([0]);

function serve(silent, path) {
  const server = net.createServer((socket) =>
    link(socket, "node-peer", (message) => {
      if (message.kind === REQUEST && !silent)
        send(socket, response(message.connection, message.id, Buffer.concat([OK, message.payload])));
    }),
  );
  if (path) server.listen(path, () => console.log(path));
  else server.listen(0, "127.0.0.1", () => console.log(server.address().port));
}

function call(where, method, argument) {
  const socket = /^\d+$/.test(where) ? net.connect(Number(where), "127.0.0.1") : net.connect(where);
  socket.on("connect", () =>
    link(socket, "node-caller", (message) => {
      if (message.kind === HELLO) send(socket, request(1, BigInt(method), text(argument)));
      if (message.kind === RESPONSE) {
        const reader = new Reader(message.payload);
        console.log(reader.varint() === 0n ? reader.text() : `error ${reader.varint()}`);
        send(socket, Buffer.concat([varint(GOODBYE), varint(0), text("")]));
        socket.end();
      }
    }),
  );
}

const [what, ...rest] = process.argv.slice(2);
if (what === "serve") serve(rest.includes("--silent"), rest.includes("--unix") ? rest[rest.indexOf("--unix") + 1] : "");
else if (what === "call" && rest.length === 3) call(...rest);
else process.exitCode = 2;
