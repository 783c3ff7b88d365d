const dir = require('fs').readdirSync('prebuilds')[0]
const { text } = require('./prebuilds/' + dir + '/' + require('fs').readdirSync('prebuilds/' + dir)[0])
if (text() !== 'hello installed') throw new Error(text())
console.log(text())
