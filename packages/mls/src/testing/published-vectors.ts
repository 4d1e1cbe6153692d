import { fromHex, utf8 } from "../bytes.ts";

/** Numbers of the RFCs, as facts. */

function hex(...parts: string[]): Uint8Array {
  return fromHex(parts.join(""));
}

/** A key pair with a signature of a message; `isOnlyOne` where signing again gives the same bytes. */
interface SignatureVector {
  readonly source: string;
  readonly suite: number;
  readonly privateKey: Uint8Array;
  readonly publicKey: Uint8Array;
  readonly message: Uint8Array;
  readonly signature: Uint8Array;
  readonly isOnlyOne: boolean;
}

export const SIGNATURE_VECTORS: readonly SignatureVector[] = [
  {
    source: "RFC 8032 §7.1 TEST 1",
    suite: 1,
    privateKey: hex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"),
    publicKey: hex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"),
    message: hex(""),
    signature: hex(
      "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25b",
      "f5f0595bbe24655141438e7a100b",
    ),
    isOnlyOne: true,
  },
  {
    source: "RFC 8032 §7.1 TEST 2",
    suite: 3,
    privateKey: hex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"),
    publicKey: hex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"),
    message: hex("72"),
    signature: hex(
      "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b",
      "2eaeb4302aeeb00d291612bb0c00",
    ),
    isOnlyOne: true,
  },
  {
    source: "RFC 8032 §7.4 Blank",
    suite: 4,
    privateKey: hex(
      "6c82a562cb808d10d632be89c8513ebf6c929f34ddfa8c9f63c9960ef6e348a3528c8a3fcc2f044e39a3fc5b94492f8f032e",
      "7549a20098f95b",
    ),
    publicKey: hex(
      "5fd7449b59b461fd2ce787ec616ad46a1da1342485a70e1f8a0ea75d80e96778edf124769b46c7061bd6783df1e50f6cd1fa",
      "1abeafe8256180",
    ),
    message: hex(""),
    signature: hex(
      "533a37f6bbe457251f023c0d88f976ae2dfb504a843e34d2074fd823d41a591f2b233f034f628281f2fd7a22ddd47d7828c5",
      "9bd0a21bfd3980ff0d2028d4b18a9df63e006c5d1c2d345b925d8dc00b4104852db99ac5c7cdda8530a113a0f4dbb61149f0",
      "5a7363268c71d95808ff2e652600",
    ),
    isOnlyOne: true,
  },
  {
    source: "RFC 8032 §7.4 1 octet",
    suite: 6,
    privateKey: hex(
      "c4eab05d357007c632f3dbb48489924d552b08fe0c353a0d4a1f00acda2c463afbea67c5e8d2877c5e3bc397a659949ef802",
      "1e954e0a12274e",
    ),
    publicKey: hex(
      "43ba28f430cdff456ae531545f7ecd0ac834a55d9358c0372bfa0c6c6798c0866aea01eb00742802b8438ea4cb82169c2351",
      "60627b4c3a9480",
    ),
    message: hex("03"),
    signature: hex(
      "26b8f91727bd62897af15e41eb43c377efb9c610d48f2335cb0bd0087810f4352541b143c4b981b7e18f62de8ccdf633fc1b",
      "f037ab7cd779805e0dbcc0aae1cbcee1afb2e027df36bc04dcecbf154336c19f0af7e0a6472905e799f1953d2a0ff3348ab2",
      "1aa4adafd1d234441cf807c03a00",
    ),
    isOnlyOne: true,
  },
  {
    source: "RFC 6979 A.2.5",
    suite: 2,
    privateKey: hex("c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721"),
    publicKey: hex(
      "0460fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb67903fe1008b8bc99a41ae9e95628bc64f2",
      "f1b20c2d7e9f5177a3c294d4462299",
    ),
    message: utf8("sample"),
    signature: hex(
      "3046022100efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716022100f7cb1c942d657c41d436",
      "c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8",
    ),
    isOnlyOne: false,
  },
  {
    source: "RFC 6979 A.2.6",
    suite: 7,
    privateKey: hex("6b9d3dad2e1b8c1c05b19875b6659f4de23c3b667bf297ba9aa47740787137d896d5724e4c70a825f872c9ea60d2edf5"),
    publicKey: hex(
      "04ec3a4e415b4e19a4568618029f427fa5da9a8bc4ae92e02e06aae5286b300c64def8f0ea9055866064a254515480bc1380",
      "15d9b72d7d57244ea8ef9ac0c621896708a59367f9dfb9f54ca84b3f1c9db1288b231c3ae0d4fe7344fd2533264720",
    ),
    message: utf8("sample"),
    signature: hex(
      "306602310094edbb92a5ecb8aad4736e56c691916b3f88140666ce9fa73d64c4ea95ad133c81a648152e44acf96e36dd1e80",
      "fabe4602310099ef4aeb15f178cea1fe40db2603138f130e740a19624526203b6351d0a3a94fa329c145786e679e7b82c71a",
      "38628ac8",
    ),
    isOnlyOne: false,
  },
  {
    source: "RFC 6979 A.2.7",
    suite: 5,
    privateKey: hex(
      "00fad06daa62ba3b25d2fb40133da757205de67f5bb0018fee8c86e1b68c7e75caa896eb32f1f47c70855836a6d16fcc1466",
      "f6d8fbec67db89ec0c08b0e996b83538",
    ),
    publicKey: hex(
      "0401894550d0785932e00eaa23b694f213f8c3121f86dc97a04e5a7167db4e5bcd371123d46e45db6b5d5370a7f20fb63315",
      "5d38ffa16d2bd761dcac474b9a2f5023a400493101c962cd4d2fddf782285e64584139c2f91b47f87ff82354d6630f746a28",
      "a0db25741b5b34a828008b22acc23f924faafbd4d33f81ea66956dfeaa2bfdfcf5",
    ),
    message: utf8("sample"),
    signature: hex(
      "308187024200c328fafcbd79dd77850370c46325d987cb525569fb63c5d3bc53950e6d4c5f174e25a1ee9017b5d450606add",
      "152b534931d7d4e8455cc91f9b15bf05ec36e377fa0241617cce7cf5064806c467f678d3b4080d6f1cc50af26ca209417308",
      "281b68af282623eaa63e5b5c0723d8b8c37ff0777b1a20f8ccb1dccc43997f1ee0e44da4a67a",
    ),
    isOnlyOne: false,
  },
];

/** Diffie-Hellman of one's private key with the other's public key. */
interface KeyAgreementVector {
  readonly source: string;
  readonly suite: number;
  readonly privateKey: Uint8Array;
  readonly publicKey: Uint8Array;
  readonly shared: Uint8Array;
}

export const KEY_AGREEMENT_VECTORS: readonly KeyAgreementVector[] = [
  {
    source: "RFC 7748 §5.2, first",
    suite: 1,
    privateKey: hex("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4"),
    publicKey: hex("e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c"),
    shared: hex("c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552"),
  },
  {
    source: "RFC 7748 §5.2, second: a public key with its unused bit set",
    suite: 1,
    privateKey: hex("4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d"),
    publicKey: hex("e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493"),
    shared: hex("95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957"),
  },
  {
    source: "RFC 7748 §6.2",
    suite: 4,
    privateKey: hex(
      "9a8f4925d1519f5775cf46b04b5800d4ee9ee8bae8bc5565d498c28dd9c9baf574a9419744897391006382a6f127ab1d9ac2",
      "d8c0a598726b",
    ),
    publicKey: hex(
      "3eb7a829b0cd20f5bcfc0b599b6feccf6da4627107bdb0d4f345b43027d8b972fc3e34fb4232a13ca706dcb57aec3dae07bd",
      "c1c67bf33609",
    ),
    shared: hex(
      "07fff4181ac6cc95ec1c16a94a0f74d12da232ce40a77552281d282bb60c0b56fd2464c335543936521c24403085d59a449a",
      "5037514a879d",
    ),
  },
  {
    source: "RFC 7748 §6.2, the other way",
    suite: 6,
    privateKey: hex(
      "1c306a7ac2a0e2e0990b294470cba339e6453772b075811d8fad0d1d6927c120bb5ee8972b0d3e21374c9c921b09d1b0366f",
      "10b65173992d",
    ),
    publicKey: hex(
      "9b08f7cc31b7e3e67d22d5aea121074a273bd2b83de09c63faa73d2c22c5d9bbc836647241d953d40c5b12da88120d53177f",
      "80e532c41fa0",
    ),
    shared: hex(
      "07fff4181ac6cc95ec1c16a94a0f74d12da232ce40a77552281d282bb60c0b56fd2464c335543936521c24403085d59a449a",
      "5037514a879d",
    ),
  },
];

/** HPKE in base mode: the first messages of one context, and its exports, 32 bytes each. */
interface HpkeVector {
  readonly source: string;
  readonly suite: number;
  readonly info: Uint8Array;
  readonly keyMaterial: Uint8Array;
  readonly privateKey: Uint8Array;
  readonly publicKey: Uint8Array;
  readonly kemOutput: Uint8Array;
  readonly messages: readonly {
    readonly additionalData: Uint8Array;
    readonly plaintext: Uint8Array;
    readonly ciphertext: Uint8Array;
  }[];
  readonly exports: readonly { readonly context: Uint8Array; readonly value: Uint8Array }[];
}

export const HPKE_VECTORS: readonly HpkeVector[] = [
  {
    source: "RFC 9180 A.1.1",
    suite: 1,
    info: hex("4f6465206f6e2061204772656369616e2055726e"),
    keyMaterial: hex("6db9df30aa07dd42ee5e8181afdb977e538f5e1fec8a06223f33f7013e525037"),
    privateKey: hex("4612c550263fc8ad58375df3f557aac531d26850903e55a9f23f21d8534e8ac8"),
    publicKey: hex("3948cfe0ad1ddb695d780e59077195da6c56506b027329794ab02bca80815c4d"),
    kemOutput: hex("37fda3567bdbd628e88668c3c8d7e97d1d1253b6d4ea6d44c150f741f1bf4431"),
    messages: [
      {
        additionalData: hex("436f756e742d30"),
        plaintext: hex("4265617574792069732074727574682c20747275746820626561757479"),
        ciphertext: hex("f938558b5d72f1a23810b4be2ab4f84331acc02fc97babc53a52ae8218a355a96d8770ac83d07bea87e13c512a"),
      },
      {
        additionalData: hex("436f756e742d31"),
        plaintext: hex("4265617574792069732074727574682c20747275746820626561757479"),
        ciphertext: hex("af2d7e9ac9ae7e270f46ba1f975be53c09f8d875bdc8535458c2494e8a6eab251c03d0c22a56b8ca42c2063b84"),
      },
    ],
    exports: [
      { context: hex(""), value: hex("3853fe2b4035195a573ffc53856e77058e15d9ea064de3e59f4961d0095250ee") },
      { context: hex("00"), value: hex("2e8f0b54673c7029649d4eb9d5e33bf1872cf76d623ff164ac185da9e88c21a5") },
      {
        context: hex("54657374436f6e74657874"),
        value: hex("e9e43065102c3836401bed8c3c3c75ae46be1639869391d62c61f1ec7af54931"),
      },
    ],
  },
  {
    source: "RFC 9180 A.2.1",
    suite: 3,
    info: hex("4f6465206f6e2061204772656369616e2055726e"),
    keyMaterial: hex("1ac01f181fdf9f352797655161c58b75c656a6cc2716dcb66372da835542e1df"),
    privateKey: hex("8057991eef8f1f1af18f4a9491d16a1ce333f695d4db8e38da75975c4478e0fb"),
    publicKey: hex("4310ee97d88cc1f088a5576c77ab0cf5c3ac797f3d95139c6c84b5429c59662a"),
    kemOutput: hex("1afa08d3dec047a643885163f1180476fa7ddb54c6a8029ea33f95796bf2ac4a"),
    messages: [
      {
        additionalData: hex("436f756e742d30"),
        plaintext: hex("4265617574792069732074727574682c20747275746820626561757479"),
        ciphertext: hex("1c5250d8034ec2b784ba2cfd69dbdb8af406cfe3ff938e131f0def8c8b60b4db21993c62ce81883d2dd1b51a28"),
      },
      {
        additionalData: hex("436f756e742d31"),
        plaintext: hex("4265617574792069732074727574682c20747275746820626561757479"),
        ciphertext: hex("6b53c051e4199c518de79594e1c4ab18b96f081549d45ce015be002090bb119e85285337cc95ba5f59992dc98c"),
      },
    ],
    exports: [
      { context: hex(""), value: hex("4bbd6243b8bb54cec311fac9df81841b6fd61f56538a775e7c80a9f40160606e") },
      { context: hex("00"), value: hex("8c1df14732580e5501b00f82b10a1647b40713191b7c1240ac80e2b68808ba69") },
      {
        context: hex("54657374436f6e74657874"),
        value: hex("5acb09211139c43b3090489a9da433e8a30ee7188ba8b0a9a1ccf0c229283e53"),
      },
    ],
  },
  {
    source: "RFC 9180 A.3.1",
    suite: 2,
    info: hex("4f6465206f6e2061204772656369616e2055726e"),
    keyMaterial: hex("668b37171f1072f3cf12ea8a236a45df23fc13b82af3609ad1e354f6ef817550"),
    privateKey: hex("f3ce7fdae57e1a310d87f1ebbde6f328be0a99cdbcadf4d6589cf29de4b8ffd2"),
    publicKey: hex(
      "04fe8c19ce0905191ebc298a9245792531f26f0cece2460639e8bc39cb7f706a826a779b4cf969b8a0e539c7f62fb3d30ad6",
      "aa8f80e30f1d128aafd68a2ce72ea0",
    ),
    kemOutput: hex(
      "04a92719c6195d5085104f469a8b9814d5838ff72b60501e2c4466e5e67b325ac98536d7b61a1af4b78e5b7f951c0900be86",
      "3c403ce65c9bfcb9382657222d18c4",
    ),
    messages: [
      {
        additionalData: hex("436f756e742d30"),
        plaintext: hex("4265617574792069732074727574682c20747275746820626561757479"),
        ciphertext: hex("5ad590bb8baa577f8619db35a36311226a896e7342a6d836d8b7bcd2f20b6c7f9076ac232e3ab2523f39513434"),
      },
      {
        additionalData: hex("436f756e742d31"),
        plaintext: hex("4265617574792069732074727574682c20747275746820626561757479"),
        ciphertext: hex("fa6f037b47fc21826b610172ca9637e82d6e5801eb31cbd3748271affd4ecb06646e0329cbdf3c3cd655b28e82"),
      },
    ],
    exports: [
      { context: hex(""), value: hex("5e9bc3d236e1911d95e65b576a8a86d478fb827e8bdfe77b741b289890490d4d") },
      { context: hex("00"), value: hex("6cff87658931bda83dc857e6353efe4987a201b849658d9b047aab4cf216e796") },
      {
        context: hex("54657374436f6e74657874"),
        value: hex("d8f1ea7942adbba7412c6d431c62d01371ea476b823eb697e1f6e6cae1dab85a"),
      },
    ],
  },
  {
    source: "RFC 9180 A.6.1",
    suite: 5,
    info: hex("4f6465206f6e2061204772656369616e2055726e"),
    keyMaterial: hex(
      "2ad954bbe39b7122529f7dde780bff626cd97f850d0784a432784e69d86eccaade43b6c10a8ffdb94bf943c6da479db13791",
      "4ec835a7e715e36e45e29b587bab3bf1",
    ),
    privateKey: hex(
      "01462680369ae375e4b3791070a7458ed527842f6a98a79ff5e0d4cbde83c27196a3916956655523a6a2556a7af62c5cadab",
      "e2ef9da3760bb21e005202f7b2462847",
    ),
    publicKey: hex(
      "0401b45498c1714e2dce167d3caf162e45e0642afc7ed435df7902ccae0e84ba0f7d373f646b7738bbbdca11ed91bdeae3cd",
      "cba3301f2457be452f271fa6837580e661012af49583a62e48d44bed350c7118c0d8dc861c238c72a2bda17f64704f464b57",
      "338e7f40b60959480c0e58e6559b190d81663ed816e523b6b6a418f66d2451ec64",
    ),
    kemOutput: hex(
      "040138b385ca16bb0d5fa0c0665fbbd7e69e3ee29f63991d3e9b5fa740aab8900aaeed46ed73a49055758425a0ce36507c54",
      "b29cc5b85a5cee6bae0cf1c21f2731ece2013dc3fb7c8d21654bb161b463962ca19e8c654ff24c94dd2898de12051f1ed069",
      "2237fb02b2f8d1dc1c73e9b366b529eb436e98a996ee522aef863dd5739d2f29b0",
    ),
    messages: [
      {
        additionalData: hex("436f756e742d30"),
        plaintext: hex("4265617574792069732074727574682c20747275746820626561757479"),
        ciphertext: hex("170f8beddfe949b75ef9c387e201baf4132fa7374593dfafa90768788b7b2b200aafcc6d80ea4c795a7c5b841a"),
      },
      {
        additionalData: hex("436f756e742d31"),
        plaintext: hex("4265617574792069732074727574682c20747275746820626561757479"),
        ciphertext: hex("d9ee248e220ca24ac00bbbe7e221a832e4f7fa64c4fbab3945b6f3af0c5ecd5e16815b328be4954a05fd352256"),
      },
    ],
    exports: [
      { context: hex(""), value: hex("05e2e5bd9f0c30832b80a279ff211cc65eceb0d97001524085d609ead60d0412") },
      { context: hex("00"), value: hex("fca69744bb537f5b7a1596dbf34eaa8d84bf2e3ee7f1a155d41bd3624aa92b63") },
      {
        context: hex("54657374436f6e74657874"),
        value: hex("f389beaac6fcf6c0d9376e20f97e364f0609a88f1bc76d7328e9104df8477013"),
      },
    ],
  },
];

/** HKDF with SHA-256 (RFC 5869 A.1). */
export const HKDF_VECTORS = [
  {
    source: "RFC 5869 A.1",
    suite: 1,
    inputKeyMaterial: new Uint8Array(22).fill(0x0b),
    salt: hex("000102030405060708090a0b0c"),
    info: hex("f0f1f2f3f4f5f6f7f8f9"),
    pseudoRandomKey: hex("077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5"),
    output: hex("3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"),
  },
] as const;

/** HMAC (RFC 4231 §4.3, test case 2). */
export const HMAC_VECTORS = [
  {
    source: "RFC 4231 §4.3",
    suite: 1,
    key: utf8("Jefe"),
    data: utf8("what do ya want for nothing?"),
    mac: hex("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
  },
  {
    source: "RFC 4231 §4.3",
    suite: 7,
    key: utf8("Jefe"),
    data: utf8("what do ya want for nothing?"),
    mac: hex("af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649"),
  },
  {
    source: "RFC 4231 §4.3",
    suite: 5,
    key: utf8("Jefe"),
    data: utf8("what do ya want for nothing?"),
    mac: hex(
      "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaea",
      "b1a34d4a6b4b636e070a38bce737",
    ),
  },
] as const;
