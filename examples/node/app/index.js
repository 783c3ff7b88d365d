// Hashes a password and masks a frame, both in native code.
const bcrypt = require('bcrypt')
const bufferutil = require('bufferutil')

const hash = bcrypt.hashSync('U*U', '$2a$05$CCCCCCCCCCCCCCCCCCCCC.')
const frame = Buffer.alloc(4)
bufferutil.mask(Buffer.from('node'), Buffer.from([1, 2, 3, 4]), frame, 0, 4)

console.log(`app on ${process.arch}`)
console.log(hash)
console.log(frame.toString('hex'))
