// Call the calculator over TCP from JavaScript, under Node.
// Needs: node (Debian: nodejs)
//
// $ node tcp_client.js tcp://127.0.0.1:PORT
// add(2, 3) = 5
// mean([1.5, 2.5, 3.5]) = 2.5
// summarize([1.5, 2.5, 3.5]) = 3 numbers up to 3.5
// divide(1, 0): 1.0 cannot be divided by zero
'use strict';

const net = require('node:net');
const { Client } = require('./msgpackrpc.js');

async function main(address) {
  const { hostname, port } = new URL(address);
  const socket = net.connect(Number(port), hostname.replace(/[[\]]/g, ''));
  const calculator = new Client(socket, socket);
  console.log('add(2, 3) =', await calculator.call('add', 2, 3));
  console.log('mean([1.5, 2.5, 3.5]) =', await calculator.call('mean', [1.5, 2.5, 3.5]));
  const { count, largest } = await calculator.call('summarize', [1.5, 2.5, 3.5]);
  console.log(`summarize([1.5, 2.5, 3.5]) = ${count} numbers up to ${largest}`);
  await calculator.call('divide', 1, 0).catch((error) => console.log('divide(1, 0):', error.message));
  socket.end();
}

main(process.argv[2]);
