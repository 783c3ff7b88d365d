// Known answers of Fletcher-32 over little-endian words. npm test runs it here, xbuild test in the Node of every platform.
const test = require('node:test')
const assert = require('node:assert')
const { checksum } = require('.')

for (const [text, want] of [['abcde', 4031760169], ['abcdef', 1448095018], ['abcdefgh', 3957429649]]) {
  test(text, () => assert.strictEqual(checksum(Buffer.from(text)), want))
}
