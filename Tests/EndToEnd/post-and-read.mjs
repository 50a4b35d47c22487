// Posts a detection and reads the list of detections over one HTTP/2 connection, as
// `node post-and-read.mjs URL NODE OBSERVER BODY [CERTIFICATE]`; prints the statuses and the list.
import { readFileSync } from 'node:fs';
import http2 from 'node:http2';

const [url, node, observer, body, certificate] = process.argv.slice(2);
const options = certificate ? { ca: readFileSync(certificate) } : {};
const session = http2.connect(url, options);

function ask(headers, content) {
    return new Promise((resolve, reject) => {
        const stream = session.request(headers);
        let status;
        let text = '';
        stream.setEncoding('utf8');
        stream.on('response', (fields) => { status = fields[':status']; });
        stream.on('data', (chunk) => { text += chunk; });
        stream.on('end', () => resolve({ status, text }));
        stream.on('error', reject);
        stream.end(content);
    });
}

const path = { ':path': '/v1/detections' };
const json = { 'content-type': 'application/json' };
const posted = await ask(
    { ...path, ...json, ':method': 'POST', authorization: `Bearer ${node}` }, body);
const read = await ask({ ...path, authorization: `Bearer ${observer}` });
console.log(posted.status);
console.log(read.status);
console.log(read.text);
session.close();
