// Calls the counting servant over UDP: node udp_client.js LIBRARY PORT
'use strict';

const { EventEmitter } = require('events');
const { Client } = require(process.argv[2]);
const sock = require('dgram').createSocket('udp4');
const readable = new EventEmitter();
sock.on('message', (data) => readable.emit('data', data));
sock.connect(Number(process.argv[3]), '127.0.0.1', async () => {
  const client = new Client(readable, { write: (data) => sock.send(data) });
  console.log(await client.call('count', 'x'), await client.call('count', 'x'));
  await client.call('missing').catch((error) => console.log(error.message));
  sock.close();
});
