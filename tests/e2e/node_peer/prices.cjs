// SPDX-License-Identifier: Apache-2.0
// A gRPC service in Node.js with OpenTelemetry's own SDK and instrumentation, and nothing of ours.
//
//   node prices.cjs PORT BOOKS_PORT    serves on PORT; calls the service at BOOKS_PORT once, which never answers
//
// shop.Prices/Read answers, shop.Prices/Hang reads the request and never does.

const { NodeSDK } = require("@opentelemetry/sdk-node");
const { GrpcInstrumentation } = require("@opentelemetry/instrumentation-grpc");

new NodeSDK({ instrumentations: [new GrpcInstrumentation()] }).start(); // before gRPC is loaded, as its docs say

const grpc = require("@grpc/grpc-js");

const [port, books] = process.argv.slice(2);
const same = (bytes) => bytes;

function method(path) {
  return {
    path,
    requestStream: false,
    responseStream: false,
    requestSerialize: same,
    requestDeserialize: same,
    responseSerialize: same,
    responseDeserialize: same,
  };
}

const PRICES = { Read: method("/shop.Prices/Read"), Hang: method("/shop.Prices/Hang") };
const BOOKS = { Hang: method("/shop.Books/Hang") };

const server = new grpc.Server();
server.addService(PRICES, {
  Read: (_call, answer) => answer(null, Buffer.from("42")),
  Hang: () => {},
});
server.bindAsync(`127.0.0.1:${port}`, grpc.ServerCredentials.createInsecure(), (error) => {
  if (error) throw error;
  console.log("prices: serves");
  const Books = grpc.makeGenericClientConstructor(BOOKS, "shop.Books");
  const client = new Books(`127.0.0.1:${books}`, grpc.credentials.createInsecure());
  client.waitForReady(Date.now() + 60_000, (late) => {
    if (late) throw late;
    client.Hang(Buffer.alloc(0), () => {});
  });
});
