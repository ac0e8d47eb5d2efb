"""Where the colours of a picture lie among all colours: matrices between its primaries and CIE XYZ."""

from collections.abc import Sequence

Chromaticity = tuple[float, float]
"""x and y."""
Matrix = Sequence[Sequence[float]]
"""Three rows of three."""


def rgb_to_xyz(white: Chromaticity, primaries: Sequence[Chromaticity]) -> list[list[float]]:
    """Return the matrix from light in red, green and blue to XYZ; all light is white, with a luminance of 1.

    Raises:
        ValueError: These chromaticities span no colours.
    """
    if len(primaries) != 3 or any(not (0 < y <= 1 and 0 <= x <= 1) for x, y in (white, *primaries)):  # noqa: PLR2004  (RGB)
        raise ValueError("chromaticities")
    columns = [xyz_of(primary) for primary in primaries]
    shares = solve([[column[row] for column in columns] for row in range(3)], xyz_of(white))
    return [[column[row] * share for column, share in zip(columns, shares, strict=True)] for row in range(3)]


def xyz_of(chromaticity: Chromaticity) -> tuple[float, float, float]:
    """Return it with a luminance of 1."""
    x, y = chromaticity
    return (x / y, 1.0, (1 - x - y) / y)


def inverse(matrix: Matrix) -> list[list[float]]:
    """Return the matrix that leads back."""
    columns = [solve(matrix, [float(row == column) for row in range(3)]) for column in range(3)]
    return [[column[row] for column in columns] for row in range(3)]


def product(left: Matrix, right: Matrix) -> list[list[float]]:
    """Return the matrix that does first the right one, then the left one."""
    columns = list(zip(*right, strict=True))
    return [applied(columns, row) for row in left]


def applied(matrix: Matrix, colour: Sequence[float]) -> list[float]:
    """Return the colour after the matrix."""
    first, second, third = colour
    return [row[0] * first + row[1] * second + row[2] * third for row in matrix]


def solve(matrix: Matrix, right: Sequence[float]) -> list[float]:
    """Return x with matrix x = right (Cramer's rule).

    Raises:
        ValueError: There is none, or more than one.
    """

    def determinant(m: Matrix) -> float:
        return (
            m[0][0] * (m[1][1] * m[2][2] - m[1][2] * m[2][1])
            - m[0][1] * (m[1][0] * m[2][2] - m[1][2] * m[2][0])
            + m[0][2] * (m[1][0] * m[2][1] - m[1][1] * m[2][0])
        )

    whole = determinant(matrix)
    if abs(whole) < 1e-9:  # noqa: PLR2004  (nothing to divide by)
        raise ValueError("chromaticities")
    return [
        determinant([[right[row] if at == column else matrix[row][at] for at in range(3)] for row in range(3)]) / whole
        for column in range(3)
    ]
