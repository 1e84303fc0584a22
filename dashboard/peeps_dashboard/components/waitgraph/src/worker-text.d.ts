// SPDX-License-Identifier: Apache-2.0
declare module "worker:*" {
  const source: string;
  export default source;
}
