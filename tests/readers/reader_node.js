// Node's http, as a service that honours method overrides. Usage: reader_node.js RECORD
//
// The overrides are those of the `method-override` package with every header it knows, and for every method; the
// parser is Node's lenient one.
'use strict'

const fs = require('node:fs')
const http = require('node:http')
const querystring = require('node:querystring')

const HEADERS = ['x-http-method', 'x-http-method-override', 'x-method-override']
const record = fs.openSync(process.argv[2], 'a')
let last = 0

function override (request) {
  // Of several lines, which Node joins, the first counts.
  for (const name of HEADERS) {
    const value = (request.headers[name] || '').split(',')[0].trim()
    if (value) return value
  }
  const query = request.url.split('?').slice(1).join('?')
  const simple = querystring.parse(query)._method
  const [bare] = new URLSearchParams(query).getAll('_method').slice(-1)
  return (Array.isArray(simple) ? simple[0] : simple) || bare
}

function serve (request, response) {
  const chunks = []
  let written = 0
  const write = (whole) => {
    if (written) return
    written = ++last
    const headers = []
    for (let i = 0; i < request.rawHeaders.length; i += 2) headers.push(request.rawHeaders.slice(i, i + 2))
    fs.writeSync(record, JSON.stringify({
      id: written,
      method: request.method,
      effective: String(override(request) || request.method).toUpperCase(),
      target: request.url,
      headers,
      body: Buffer.concat(chunks).toString('latin1'),
      whole
    }) + '\n')
  }
  request.on('data', (chunk) => chunks.push(chunk))
  request.on('close', () => write(false))
  request.on('end', () => {
    write(true)
    response.writeHead(200, { 'X-Read': written, 'Content-Length': 0 })
    response.end()
  })
}

const server = http.createServer({ insecureHTTPParser: true, keepAliveTimeout: 120000 }, serve)
server.listen(0, '127.0.0.1', () => console.log('listening on 127.0.0.1:' + server.address().port))
