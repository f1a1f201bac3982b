// The TypeScript SDK's client at a secured server: no token, discovery, registration, authorization code with
// PKCE, a call, a call that needs one scope more, step-up.
//
// Its argument is the server's URL. Writes one JSON object.

import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { UnauthorizedError } from '@modelcontextprotocol/sdk/client/auth.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';

const CALLBACK = 'http://127.0.0.1:9/callback';

// Goes where a browser would be sent, with its cookies, until it is sent back here.
async function authorize(url) {
  const cookies = new Map();
  for (let hops = 0; hops < 20; hops += 1) {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const answer = await fetch(url, { redirect: 'manual', headers: { cookie } });
    for (const line of answer.headers.getSetCookie()) {
      const [name, value] = line.split(';')[0].split('=');
      cookies.set(name, value);
    }
    const location = answer.headers.get('location');
    if (!location) throw new Error(`${url}: ${answer.status} ${await answer.text()}`);
    url = new URL(location, url);
    if (url.href.startsWith(CALLBACK)) {
      if (!url.searchParams.has('code')) throw new Error(`refused: ${url.search}`);
      return url.searchParams.get('code');
    }
  }
  throw new Error('no end of redirects');
}

class Person {
  asked = [];
  redirectUrl = CALLBACK;
  clientMetadata = {
    client_name: 'a test',
    redirect_uris: [CALLBACK],
    application_type: 'native',
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    token_endpoint_auth_method: 'none',
  };
  clientInformation() { return this.information; }
  saveClientInformation(information) { this.information = information; }
  tokens() { return this.saved; }
  saveTokens(tokens) { this.saved = tokens; }
  saveCodeVerifier(verifier) { this.verifier = verifier; }
  codeVerifier() { return this.verifier; }
  async redirectToAuthorization(url) {
    this.asked.push({ scope: url.searchParams.get('scope'), resource: url.searchParams.get('resource') });
    this.code = await authorize(url);
  }
}

const url = new URL(process.argv[2]);
const person = new Person();

// Does something as a client, and once more with what it was authorized for meanwhile.
async function withClient(work) {
  for (let attempt = 0; ; attempt += 1) {
    const transport = new StreamableHTTPClientTransport(url, { authProvider: person });
    const client = new Client({ name: 'a test', version: '1' });
    try {
      await client.connect(transport);
      return await work(client);
    } catch (error) {
      if (!(error instanceof UnauthorizedError) || attempt > 0) throw error;
      await transport.finishAuth(person.code);
    } finally {
      await client.close();
    }
  }
}

const text = (result) => result.content[0].text;
const called = await withClient(async (client) => text(await client.callTool({ name: 'whoami' })));
const stepped = await withClient(async (client) => text(await client.callTool({ name: 'report' })));
console.log(JSON.stringify({ called, stepped, asked: person.asked, scope: person.saved.scope }));
process.exit(0);
