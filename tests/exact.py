"""Activations and Gaussian integrals in high precision, by code that shares nothing with ours."""

from functools import cache

import mpmath as mp

mp.mp.dps = 25
SELU_SCALE, SELU_ALPHA = mp.mpf("1.0507009873554805"), mp.mpf("1.6732632423543772")


def _selu(z):
    return SELU_SCALE * (z if z > 0 else SELU_ALPHA * mp.expm1(z))


def _gelu_tanh(z):
    return z / 2 * (1 + mp.tanh(mp.sqrt(2 / mp.pi) * (z + mp.mpf("0.044715") * z**3)))


def _gelu_tanh_slope(z):
    inner = mp.sqrt(2 / mp.pi) * (z + mp.mpf("0.044715") * z**3)
    slope = mp.sqrt(2 / mp.pi) * (1 + 3 * mp.mpf("0.044715") * z**2)
    return (1 + mp.tanh(inner)) / 2 + z / 2 * slope * mp.sech(inner) ** 2


def _softplus(z):
    return mp.log1p(mp.exp(-abs(z))) + max(z, 0)


def _sigmoid(z):
    return 1 / (1 + mp.exp(-z))


def _mish_slope(z):
    t = mp.tanh(_softplus(z))
    return t + z * (1 - t**2) * _sigmoid(z)


# phi, phi' and where they bend sharply
ACTIVATIONS = {
    "identity": (lambda z: z, lambda z: mp.mpf(1), ()),
    "relu": (lambda z: max(z, 0), lambda z: mp.mpf(z > 0), (0,)),
    "leaky_relu": (lambda z: max(z, z / 100), lambda z: mp.mpf(1 if z > 0 else "0.01"), (0,)),
    "tanh": (mp.tanh, lambda z: mp.sech(z) ** 2, ()),
    "sigmoid": (_sigmoid, lambda z: _sigmoid(z) * _sigmoid(-z), ()),
    "softplus": (_softplus, _sigmoid, ()),
    "elu": (lambda z: z if z > 0 else mp.expm1(z), lambda z: mp.exp(min(z, 0)), (0,)),
    "selu": (_selu, lambda z: SELU_SCALE * (1 if z > 0 else SELU_ALPHA * mp.exp(z)), (0,)),
    "gelu": (lambda z: z * mp.ncdf(z), lambda z: mp.ncdf(z) + z * mp.npdf(z), ()),
    "gelu_tanh": (_gelu_tanh, _gelu_tanh_slope, ()),
    "silu": (
        lambda z: z * _sigmoid(z),
        lambda z: _sigmoid(z) * (1 + z * _sigmoid(-z)),
        (),
    ),
    "mish": (lambda z: z * mp.tanh(_softplus(z)), _mish_slope, ()),
    "softsign": (lambda z: z / (1 + abs(z)), lambda z: 1 / (1 + abs(z)) ** 2, (0,)),
    "hardtanh": (lambda z: max(-1, min(1, z)), lambda z: mp.mpf(abs(z) < 1), (-1, 1)),
    "erf": (mp.erf, lambda z: 2 / mp.sqrt(mp.pi) * mp.exp(-(z**2)), ()),
}


@cache
def expectation(name: str, q: float, what: str) -> float:
    """E[phi], E[(phi - mean)^2], E[phi^2] or E[phi'^2] under N(0, q)."""
    phi, slope, kinks = ACTIVATIONS[name]
    if what == "variance":
        mean = _integral(phi, q, kinks)
        return float(_integral(lambda z: (phi(z) - mean) ** 2, q, kinks))
    of = {"mean": phi, "second": lambda z: phi(z) ** 2, "slope": lambda z: slope(z) ** 2}[what]
    return float(_integral(of, q, kinks))


def _integral(f, q, kinks):
    sigma = mp.sqrt(mp.mpf(q))
    reach = 12 * sigma
    ends = {mp.mpf(0), reach, -reach, *(mp.mpf(k) for k in kinks if abs(k) < reach)}
    step = min(sigma, mp.mpf(1)) / 2
    while step < reach:
        ends |= {step, -step}
        step *= 3
    density = 1 / (sigma * mp.sqrt(2 * mp.pi))
    return density * mp.quad(
        lambda z: f(z) * mp.exp(-(z**2) / (2 * mp.mpf(q))),
        sorted(ends),
        method="gauss-legendre",
        maxdegree=5,
    )
