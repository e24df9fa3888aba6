// MessagePack-RPC for Node in one screen, with nothing installed: new Client(readable, writable).
// Integers beyond 2^53 and the ext types are left out; see msgpack.org for all of MessagePack.
'use strict';

const LIMIT = 1 << 20;

function encode(value) {
  const sized = (code, size, ...parts) => {
    const head = Buffer.from([code, 0, 0, 0, 0]);
    head.writeUInt32BE(size, 1);
    return Buffer.concat([head, ...parts]);
  };
  if (value === null) return Buffer.from([0xc0]);
  if (typeof value === 'boolean') return Buffer.from([value ? 0xc3 : 0xc2]);
  if (Array.isArray(value)) return sized(0xdd, value.length, ...value.map(encode));
  if (typeof value === 'string') return sized(0xdb, Buffer.byteLength(value), Buffer.from(value));
  if (typeof value === 'object') {
    const flat = Object.entries(value).flat();
    return sized(0xdf, flat.length / 2, ...flat.map(encode));
  }
  const number = Buffer.alloc(9, Number.isSafeInteger(value) ? 0xd3 : 0xcb);
  if (number[0] === 0xd3) number.writeBigInt64BE(BigInt(value), 1);
  else number.writeDoubleBE(value, 1);
  return number;
}

class Reader {
  constructor(buffer) { this.buffer = buffer; this.at = 0; }

  take(size) {
    if (this.at + size > this.buffer.length) throw new RangeError('the rest is under way');
    this.at += size;
    return this.buffer.subarray(this.at - size, this.at);
  }

  size(bytes) { return this.take(bytes).readUIntBE(0, bytes); }
  text(size) { return this.take(size).toString(); }
  array(size) { return Array.from({ length: size }, () => this.value()); }
  map(size) { return Object.fromEntries(Array.from({ length: size }, () => this.array(2))); }

  value() {
    const code = this.take(1)[0];
    if (code < 0x80) return code;
    if (code >= 0xe0) return code - 0x100;
    if (code < 0x90) return this.map(code & 0x0f);
    if (code < 0xa0) return this.array(code & 0x0f);
    if (code < 0xc0) return this.text(code & 0x1f);
    switch (code) {
      case 0xc0: return null;
      case 0xc2: case 0xc3: return code === 0xc3;
      case 0xc4: case 0xc5: case 0xc6: return this.take(this.size(1 << (code - 0xc4)));
      case 0xca: return this.take(4).readFloatBE();
      case 0xcb: return this.take(8).readDoubleBE();
      case 0xcc: case 0xcd: case 0xce: return this.size(1 << (code - 0xcc));
      case 0xcf: return Number(this.take(8).readBigUInt64BE());
      case 0xd0: case 0xd1: case 0xd2: { const n = 1 << (code - 0xd0); return this.take(n).readIntBE(0, n); }
      case 0xd3: return Number(this.take(8).readBigInt64BE());
      case 0xd9: case 0xda: case 0xdb: return this.text(this.size(1 << (code - 0xd9)));
      case 0xdc: case 0xdd: return this.array(this.size(2 << (code - 0xdc)));
      case 0xde: case 0xdf: return this.map(this.size(2 << (code - 0xde)));
      default: throw new Error(`unknown type 0x${code.toString(16)}`);
    }
  }
}

class Client {
  constructor(readable, writable) {
    this.writable = writable;
    this.waiting = new Map();
    this.buffer = Buffer.alloc(0);
    readable.on('data', (data) => this.received(data));
    readable.on('error', (error) => this.fail(error));
    readable.on('close', () => this.fail(new Error('the server closed the connection')));
  }

  call(method, ...params) {
    const id = (this.last = (this.last ?? 0) + 1);
    this.writable.write(encode([0, id, method, params]));
    return new Promise((resolve, reject) => this.waiting.set(id, { resolve, reject }));
  }

  received(data) {
    this.buffer = Buffer.concat([this.buffer, data]);
    try {
      while (this.buffer.length) {
        const reader = new Reader(this.buffer);
        const message = reader.value();
        this.buffer = this.buffer.subarray(reader.at);
        this.answered(message);
      }
    } catch (error) {
      if (!(error instanceof RangeError) || this.buffer.length > LIMIT) this.fail(error);
    }
  }

  answered([kind, id, error, result]) {
    const waiting = kind === 1 && this.waiting.get(id);
    if (!waiting) return;
    this.waiting.delete(id);
    if (error === null) waiting.resolve(result);
    else waiting.reject(new Error(Array.isArray(error) ? error[1] : String(error)));
  }

  fail(error) {
    for (const { reject } of this.waiting.values()) reject(error);
    this.waiting.clear();
  }
}

module.exports = { Client };
