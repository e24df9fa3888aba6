// Start a program and call the calculator inside it from JavaScript, under Node.
// Needs: node (Debian: nodejs)
//
// $ node pipe_client.js "pipe:python -m ipckit.examples.pipe_server"
// add(2, 3) = 5
// mean([1.5, 2.5, 3.5]) = 2.5
// summarize([1.5, 2.5, 3.5]) = 3 numbers up to 3.5
// divide(1, 0): 1.0 cannot be divided by zero
'use strict';

const { spawn } = require('node:child_process');
const { Client } = require('./msgpackrpc.js');

async function main(address) {
  // No shell: blanks part the words, and single quotes hold them together.
  const words = address.replace(/^pipe:/, '').match(/'[^']*'|[^ ]+/g);
  const [program, ...rest] = words.map((word) => word.replace(/^'|'$/g, ''));
  const child = spawn(program, rest, { stdio: ['pipe', 'pipe', 'inherit'] });
  const calculator = new Client(child.stdout, child.stdin);
  console.log('add(2, 3) =', await calculator.call('add', 2, 3));
  console.log('mean([1.5, 2.5, 3.5]) =', await calculator.call('mean', [1.5, 2.5, 3.5]));
  const { count, largest } = await calculator.call('summarize', [1.5, 2.5, 3.5]);
  console.log(`summarize([1.5, 2.5, 3.5]) = ${count} numbers up to ${largest}`);
  await calculator.call('divide', 1, 0).catch((error) => console.log('divide(1, 0):', error.message));
  child.stdin.end();
}

main(process.argv[2]);
